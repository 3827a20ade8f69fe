// The commuting square of one network, alive: dense, A and B at every step of training.
//
//   initial -- train --> dense
//      |                   |
//    prune               prune      (the same nodes, the same batches, the same seed)
//      v                   v
//    start  -- train -->  B | A

import { Grid } from "./grid.js";
import { classesOf, disagreement } from "./losses.js";
import { copied, logitsAt } from "./network.js";
import { choose, everything, prune } from "./pruning.js";
import { Training } from "./training.js";

/**
 * @typedef {import("./network.js").Network} Network
 * @typedef {import("./network.js").Points} Points
 * @typedef {import("./pruning.js").Kept} Kept
 * @typedef {import("./training.js").Recipe} Recipe
 * @typedef {{name: string, classes: number, train: Points, heldOut: Points, half: number}} Problem
 *   half: half-width of the plane
 * @typedef {{dense: Network, pruneFirst: Network, kept: Kept}} Ends networks trained elsewhere
 * @typedef {{problem: Problem, initial: Network, recipe: Recipe, seed: number,
 *   compensation: string, ends: Ends | null}} Beginning
 * @typedef {{network: Network, step: number, losses: number[], past: Network[],
 *   advance: () => void}} Way a network in training: where it is, and was every so many steps
 * @typedef {{kept: Kept, start: Network, first: Way, again: Way, records: Record[]}} Branch
 *   what follows from the nodes kept: the untrained network without the others, B, B trained with
 *   another batch order, and the distances recorded
 * @typedef {{step: number, gap: number, floor: number}} Record
 */

export const EVERY = 50; // steps between records of gap and floor
const [RESOLUTION, BLOCK, THUMBNAIL] = [100, 10, 25]; // points along either side
const OTHER = 2 ** 32; // added to a seed, it gives the batch order of its noise floor

export class LiveSquare {
  /** @param {Beginning} beginning */
  constructor(beginning) {
    const { initial, ends, recipe, problem } = beginning;
    this.beginning = beginning;
    this.compensation = beginning.compensation;
    this.grid = new Grid(problem.half, RESOLUTION, BLOCK);
    this.thumbnail = new Grid(problem.half, THUMBNAIL, THUMBNAIL); // for pictures of single nodes
    this.dense = ends ? arrived(ends.dense, recipe.steps) : this.trained(initial, 0);
    this.branch = this.branchOf(ends ? ends.kept : everything(initial));
    if (ends) this.branch.first = arrived(ends.pruneFirst, recipe.steps);
  }

  /** Steps that the dense network has taken. */
  get step() {
    return this.dense.step;
  }

  /** Steps that the slower of B and its repetition has taken. */
  get behind() {
    return Math.min(this.branch.first.step, this.branch.again.step);
  }

  /** A: the dense network as it is, without the nodes. */
  get trainFirst() {
    return this.pruned(this.dense.network);
  }

  /** How far B is from itself now, trained with another batch order. */
  get floor() {
    const { first, again } = this.branch;
    return disagreement(this.classes(first.network), this.classes(again.network));
  }

  /**
   * Remove the nodes that are not kept: B and its repetition start anew, and catch up.
   * @param {Kept} kept
   */
  remove(kept) {
    this.branch = this.branchOf(kept);
  }

  /** @param {string} compensation a name in COMPENSATIONS */
  compensate(compensation) {
    this.compensation = compensation;
    this.remove(this.branch.kept);
  }

  /**
   * Remove what a criterion chooses on the dense network as it is now.
   * @param {string} criterion
   * @param {number} fraction
   * @param {number[]} layers
   */
  choose(criterion, fraction, layers) {
    const { problem, seed } = this.beginning;
    this.remove(choose(this.dense.network, problem.train, criterion, fraction, layers, seed));
  }

  /** Go back to the initialisation; the same nodes stay removed. */
  rewind() {
    this.dense = this.trained(this.beginning.initial, 0);
    this.remove(this.branch.kept);
  }

  /** Take one step: those that lag behind the dense network alone, else all. */
  advance() {
    const { first, again } = this.branch;
    const late = [first, again].filter((way) => way.step < this.step);
    for (const way of late.length ? late : [this.dense, first, again]) way.advance();
  }

  /** Whether gap and floor of some step before this one are still to be recorded. */
  get unrecorded() {
    const { first, again, records } = this.branch;
    const known = Math.min(...[this.dense, first, again].map(({ past }) => past.length));
    return records.length < known && records.length * EVERY < this.step;
  }

  /** Record gap and floor of the next step that is due. */
  record() {
    const { first, again, records } = this.branch;
    const k = records.length;
    const networks = [this.pruned(this.dense.past[k]), first.past[k], again.past[k]];
    const [a, b, other] = networks.map((network) => this.classes(network));
    records.push({ step: k * EVERY, gap: disagreement(a, b), floor: disagreement(b, other) });
  }

  /** @param {Network} network @returns {Float32Array} its logits over the plane */
  logits(network) {
    return logitsAt(network, this.grid.x, this.grid.count);
  }

  /** @param {Network} network @returns {Uint8Array} its classes over the plane */
  classes(network) {
    return classesOf(this.logits(network), this.grid.count);
  }

  /** @param {Kept} kept @returns {Branch} */
  branchOf(kept) {
    const start = this.pruned(this.beginning.initial, kept);
    const [first, again] = [0, OTHER].map((other) => this.trained(start, other));
    return { kept, start, first, again, records: [] };
  }

  /** @param {Network} network */
  pruned(network, kept = this.branch.kept) {
    return prune(network, kept, this.beginning.problem.train, this.compensation);
  }

  /** @param {Network} start @param {number} other added to the seed of the batch order */
  trained(start, other) {
    const { problem, recipe, seed } = this.beginning;
    return underWay(new Training(start, problem.train, recipe, seed + other));
  }
}

/** @param {Training} training @returns {Way} */
function underWay(training) {
  const past = [copied(training.network)];
  return {
    network: training.network,
    losses: training.losses,
    past,
    get step() {
      return training.step;
    },
    advance() {
      training.advance();
      if (training.step % EVERY === 0) past.push(copied(training.network));
    },
  };
}

/** A network whose training is over. @param {Network} network @param {number} step @returns {Way} */
function arrived(network, step) {
  return { network, step, losses: [], past: [], advance() {} };
}
