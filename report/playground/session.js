// One square in the hands of a reader: how far it shall train, which nodes go, how it is shown.

import { accuracies, view } from "./frames.js";
import { diverged } from "./network.js";
import { sameNodes } from "./pruning.js";
import { EVERY, LiveSquare } from "./square.js";

/**
 * @typedef {import("./state.js").Setting} Setting
 * @typedef {import("./square.js").Beginning} Beginning
 * @typedef {import("./frames.js").View} View
 * @typedef {import("./frames.js").Corners} Corners
 * @typedef {{type: "run", on: boolean} | {type: "advance", steps: number} | {type: "rewind"}
 *   | {type: "choose", criterion: string, fraction: number, layers: number[]}
 *   | {type: "keep", kept: number[][]} | {type: "compensate", compensation: string}} Wish
 * @typedef {{steps: number | null, frames: number | null}} Speed steps and frames per second
 * @typedef {{floor: number | null, accuracy: Corners}} Measured floor: null while B catches up
 * @typedef {{steps: number[], gap: number[], floor: number[]}} Course shares of the plane
 * @typedef {View & Measured & {type: "frame", steps: number, target: number, running: boolean,
 *   gaps: Course, chosenAt: number | null, speed: Speed}} Frame
 *   target: the step at which training will stop
 */

const WATCHED = 4000; // milliseconds over which a whole training is shown,
const FRAMES = 150; // in so many frames, in fewer where a frame takes longer

export class Session {
  /**
   * @param {Setting} setting
   * @param {Beginning} beginning
   */
  constructor(setting, beginning) {
    this.square = new LiveSquare(beginning);
    this.steps = beginning.recipe.steps;
    this.target = Math.max(setting.step, this.square.step); // how far the dense network shall train
    this.running = false; // shown at leisure, not as fast as can be
    this.pace = 0; // steps still to take before the next frame
    this.stale = true; // something changed since the last frame
    this.clock = new Clock();
    /** @type {number | null} */ this.chosenAt = setting.chosenAt;
    /** @type {Measured | null} */ this.lately = null;
    if (setting.kept) this.keep(setting.kept);
    else if (!beginning.ends) this.choose(setting);
    this.chosenAt = setting.chosenAt ?? this.chosenAt;
  }

  /**
   * Do what the reader wishes. Throws an Error that says what cannot be.
   * @param {Wish} wish
   */
  obey(wish) {
    if (wish.type === "run") this.run(wish.on);
    if (wish.type === "advance") this.advance(wish.steps);
    if (wish.type === "rewind") this.rewind();
    if (wish.type === "choose") this.choose(wish);
    if (wish.type === "keep") this.keep(wish.kept);
    if (wish.type === "compensate") this.square.compensate(wish.compensation);
    this.stale = true;
  }

  /** @param {boolean} on */
  run(on) {
    if (on && this.square.step >= this.steps) this.rewind();
    this.aim(on ? this.steps : this.square.step);
    this.running = on;
    this.clock = new Clock();
  }

  /** Some steps on; presses that come before the last one is done add up. @param {number} steps */
  advance(steps) {
    const { step } = this.square;
    this.aim((this.running ? step : Math.max(step, this.target)) + steps);
  }

  /** @param {number} step */
  aim(step) {
    this.running = false;
    this.target = Math.min(step, this.steps);
  }

  rewind() {
    this.square.rewind();
    this.aim(0);
  }

  /** @param {{criterion: string, fraction: number, layers: number[]}} wish */
  choose({ criterion, fraction, layers }) {
    if (diverged(this.square.dense.network)) {
      throw new Error(
        "The dense network diverged, so its nodes have no scores; rewind, or lower the learning rate.",
      );
    }
    this.square.choose(criterion, fraction, layers);
    this.chosenAt = this.square.step;
  }

  /** @param {number[][]} kept */
  keep(kept) {
    const hidden = this.square.beginning.initial.widths.slice(1, -1);
    if (kept.length !== hidden.length) {
      throw new Error(`kept has ${kept.length} layers; expected ${hidden.length}.`);
    }
    hidden.forEach((width, layer) => checkKept(kept, layer, width));
    if (!sameNodes(kept, this.square.branch.kept)) this.square.remove(kept);
    this.chosenAt = null;
  }

  /** Whether there is something to compute. */
  get busy() {
    const { square } = this;
    return square.behind < square.step || square.unrecorded || this.mayStep;
  }

  get mayStep() {
    return this.square.step < this.target && (!this.running || this.pace > 0);
  }

  /**
   * Train and record until a moment has come or nothing is left to do.
   * @param {number} end in milliseconds of `performance.now()`
   */
  work(end) {
    const { square } = this;
    this.clock.start(square.step);
    while (this.busy && performance.now() < end) {
      const before = square.step;
      if (square.behind < before || this.mayStep) square.advance();
      else square.record();
      this.pace -= square.step - before;
      this.stale = true;
    }
    this.clock.stop(square.step);
  }

  /** @returns {Frame} */
  frame() {
    const { square, steps, chosenAt } = this;
    this.running &&= square.step < this.target;
    this.clock.tick(this.running);
    const leisure = Math.ceil(steps * Math.max(1 / FRAMES, this.clock.interval / WATCHED));
    this.pace = Math.min(leisure, EVERY - (square.step % EVERY)); // so that every record is shown
    this.stale = false;
    const [now, measured] = [view(square), this.measured];
    keepRecord(square, now.gap, measured.floor);
    return {
      type: "frame",
      ...now,
      ...measured,
      steps,
      chosenAt,
      target: this.target,
      running: this.running,
      gaps: course(square, now.gap, measured.floor),
      speed: this.clock.speed,
    };
  }

  /** What takes longer to find than a frame may; while running, what it was some steps ago. */
  get measured() {
    const { square } = this;
    if (!this.lately || !this.running || square.step % EVERY === 0) {
      const floor = square.behind < square.step ? null : square.floor;
      this.lately = { floor, accuracy: accuracies(square) };
    }
    return this.lately;
  }
}

/**
 * Spare the square a record of what the frame has found.
 * @param {LiveSquare} square @param {number} gap @param {number | null} floor
 */
function keepRecord({ branch, dense, step }, gap, floor) {
  const due = branch.records.length * EVERY === step && dense.past.length > 0;
  if (due && floor !== null) branch.records.push({ step, gap, floor });
}

/**
 * Gap and floor at the steps recorded and now.
 * @param {LiveSquare} square @param {number} gap @param {number | null} floor
 * @returns {Course}
 */
function course({ branch, step }, gap, floor) {
  const past = branch.records.filter((record) => record.step < step);
  const all = floor === null ? past : [...past, { step, gap, floor }];
  return {
    steps: all.map((record) => record.step),
    gap: all.map((record) => record.gap),
    floor: all.map((record) => record.floor),
  };
}

/** Measures steps and frames per second. */
class Clock {
  constructor() {
    this.steps = 0;
    this.time = 0; // milliseconds spent on them
    this.interval = 0; // usual milliseconds from frame to frame, 0 while unknown
    this.last = 0; // moment of the last frame
    this.began = { step: 0, time: 0 };
  }

  /** @param {number} step */
  start(step) {
    this.began = { step, time: performance.now() };
  }

  /** @param {number} step */
  stop(step) {
    this.steps += Math.max(0, step - this.began.step);
    this.time += performance.now() - this.began.time;
  }

  /** @param {boolean} running */
  tick(running) {
    const now = performance.now();
    const passed = now - this.last;
    if (running && this.last)
      this.interval = this.interval ? 0.9 * this.interval + 0.1 * passed : passed;
    this.last = running ? now : 0;
  }

  /** @returns {Speed} */
  get speed() {
    const { steps, time, interval } = this;
    return {
      steps: steps ? (1000 * steps) / time : null,
      frames: interval ? 1000 / interval : null,
    };
  }
}

/** @param {number[][]} kept @param {number} layer @param {number} width */
function checkKept(kept, layer, width) {
  const nodes = kept[layer] ?? [];
  const sorted = nodes.every(
    (node, k) => Number.isInteger(node) && (k === 0 || nodes[k - 1] < node),
  );
  if (!nodes.length || !sorted || nodes[0] < 0 || nodes[nodes.length - 1] >= width) {
    throw new Error(
      `kept of layer ${layer} is [${nodes}]; expected at least one node, in order, below ${width}.`,
    );
  }
}
