// The square behind the interface: takes requests, works in short slices, sends frames.
// It runs in a Worker, or on the main thread where a page may have none.

import { decode } from "./given.js";
import { initialise } from "./network.js";
import { PROBLEMS } from "./problems.js";
import { Session } from "./session.js";

/**
 * @typedef {import("./session.js").Frame} Frame
 * @typedef {import("./session.js").Wish} Wish
 * @typedef {import("./square.js").Beginning} Beginning
 * @typedef {import("./square.js").Problem} Problem
 * @typedef {import("./state.js").Setting} Setting
 * @typedef {{type: "open", setting: Setting, given: object | null} | Wish | {type: "shown"}} Request
 * @typedef {Frame | {type: "opened", problem: Problem, widths: number[]}
 *   | {type: "refused", of: Request["type"], message: string}} Answer
 */

const SLICE = 12; // milliseconds of work between looks at the requests

export class Service {
  /** @param {(answer: Answer) => void} answer takes every message to the interface */
  constructor(answer) {
    this.answer = answer;
    /** @type {Session | null} */ this.session = null;
    this.awaited = false; // a frame is on its way to the interface
    this.waiting = false; // a turn is due
  }

  /**
   * Do what the interface asks; what cannot be done is refused, and all stays as it was.
   * @param {Request} request
   */
  receive(request) {
    try {
      this.obey(request);
    } catch (error) {
      const message = error instanceof Error ? error.message : `${error}`;
      this.answer({ type: "refused", of: request.type, message });
    }
    this.wake();
  }

  /** @param {Request} request */
  obey(request) {
    if (request.type === "open") this.open(request.setting, request.given);
    else if (request.type === "shown") this.awaited = false;
    else if (this.session) this.session.obey(request);
    else throw new Error(`Nothing is open; expected a request to open before ${request.type}.`);
  }

  /** @param {Setting} setting @param {object | null} given */
  open(setting, given) {
    this.session = new Session(setting, given ? trainedElsewhere(setting, given) : fresh(setting));
    const { problem, initial } = this.session.square.beginning;
    this.answer({ type: "opened", problem, widths: initial.widths });
  }

  /** See to it that a turn comes while there is something to do. */
  wake() {
    if (this.waiting || !this.session) return;
    if (!this.session.busy && (this.awaited || !this.session.stale)) return;
    this.waiting = true;
    setTimeout(() => this.turn(this.session));
  }

  /** Work for a slice, and show what came of it unless the frame before is still awaited.
   * @param {Session | null} session */
  turn(session) {
    this.waiting = false;
    session?.work(performance.now() + SLICE);
    if (session?.stale && !this.awaited) {
      this.awaited = true;
      this.answer(session.frame());
    }
    this.wake();
  }
}

/**
 * The beginning of a setting of one's own.
 * @param {Setting} setting
 * @returns {Beginning}
 */
function fresh(setting) {
  const problem = PROBLEMS[setting.problem](setting.noise, setting.dataSeed);
  const initial = initialise([2, ...setting.hidden, 1], setting.seed);
  const adam = {
    betas: /** @type {[number, number]} */ ([0.9, 0.999]),
    epsilon: 1e-7,
    momentum: 0.9,
  };
  const { seed, compensation } = setting;
  return { problem, initial, recipe: { ...setting, ...adam }, seed, compensation, ends: null };
}

/**
 * The beginning of networks trained elsewhere, whose ends stand until the reader rewinds.
 * @param {Setting} setting
 * @param {object} given
 * @returns {Beginning}
 */
function trainedElsewhere({ compensation, step }, given) {
  const beginning = decode(given);
  const ends = step < beginning.recipe.steps ? null : beginning.ends;
  return { ...beginning, compensation, ends };
}
