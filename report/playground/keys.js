// The keys of the page's address: what each may be, and its text.

import { CRITERIA } from "./criteria.js";
import { PROBLEMS } from "./problems.js";
import { COMPENSATIONS } from "./pruning.js";
import { OPTIMISERS } from "./training.js";

/** @typedef {import("./state.js").Setting} Setting */

/**
 * One key. `parse` gives undefined for text that does not fit; it and `expected` may look at the
 * keys that stand before this one.
 * @typedef {Object} Key
 * @property {keyof Setting} field
 * @property {(setting: Setting) => string} expected in words
 * @property {(text: string, setting: Setting) => any} parse
 * @property {(value: any) => string} print
 */

/** Least and largest value of every number, both included. */
export const LIMITS = {
  noise: [0, 1],
  data_seed: [0, 2 ** 31 - 1],
  hidden: [1, 3],
  width: [1, 200],
  learning_rate: [Number.MIN_VALUE, 10],
  batch_size: [1, 500],
  steps: [1, 5000],
  seed: [0, 2 ** 31 - 1],
  fraction: [0, 1 - Number.EPSILON / 2],
};

/** What can be chosen by name, with the same names as in Python. */
export const CHOICES = {
  problem: Object.keys(PROBLEMS),
  optimiser: Object.keys(OPTIMISERS),
  criterion: Object.keys(CRITERIA),
  compensation: Object.keys(COMPENSATIONS),
};

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;
const INTEGER = /^\d+$/;
const HEX = /^[\da-f]+$/i;
const BY_HAND = "hand";

/**
 * All keys by their names, each after those that it looks at.
 * @param {string[]} presets names of the page's presets
 * @returns {Record<string, Key>}
 */
export function keysFor(presets) {
  return {
    preset: choiceKey("preset", presets),
    problem: choiceKey("problem", CHOICES.problem),
    noise: realKey("noise", LIMITS.noise, "a number from 0 to 1"),
    data_seed: integerKey("dataSeed", () => LIMITS.data_seed),
    hidden: HIDDEN,
    seed: integerKey("seed", () => LIMITS.seed),
    optimiser: choiceKey("optimiser", CHOICES.optimiser),
    learning_rate: realKey("learningRate", LIMITS.learning_rate, "a number above 0, at most 10"),
    batch_size: integerKey("batchSize", () => LIMITS.batch_size),
    steps: integerKey("steps", () => LIMITS.steps),
    criterion: choiceKey("criterion", CHOICES.criterion),
    fraction: realKey("fraction", LIMITS.fraction, "a number from 0 to below 1"),
    layers: LAYERS,
    compensation: choiceKey("compensation", CHOICES.compensation),
    kept: KEPT,
    chosen_at: CHOSEN_AT,
    step: integerKey("step", ({ steps }) => [0, steps]),
    scatter: choiceKey("scatter", ["changes", "weights"]),
  };
}

/** @param {keyof Setting} field @param {string[]} names @returns {Key} */
function choiceKey(field, names) {
  return {
    field,
    expected: () => (names.length ? `one of ${names.join(", ")}` : "none on this page"),
    parse: (text) => names.find((name) => name === text),
    print: String,
  };
}

/** @param {keyof Setting} field @param {number[]} limits @param {string} words @returns {Key} */
function realKey(field, limits, words) {
  const parse = (/** @type {string} */ text) => within(NUMBER.test(text) ? +text : NaN, limits);
  return { field, expected: () => words, parse, print: String };
}

/** @param {keyof Setting} field @param {(setting: Setting) => number[]} limits @returns {Key} */
function integerKey(field, limits) {
  return {
    field,
    expected: (setting) => `a whole number from ${limits(setting).join(" to ")}`,
    parse: (text, setting) => integer(text, limits(setting)),
    print: String,
  };
}

/** @type {Key} */
const HIDDEN = {
  field: "hidden",
  expected: () => "1 to 3 widths from 1 to 200, such as 50-50",
  parse(text) {
    const widths = integers(text, LIMITS.width);
    return widths && within(widths.length, LIMITS.hidden) && widths;
  },
  print: (widths) => widths.join("-"),
};

/** @type {Key} */
const LAYERS = {
  field: "layers",
  expected: ({ hidden }) => `hidden layers from 0 to ${hidden.length - 1} in order, such as 0`,
  parse(text, { hidden }) {
    const layers = text === "" ? [] : integers(text, [0, hidden.length - 1]);
    return layers?.every((layer, k) => k === 0 || layer > layers[k - 1]) ? layers : undefined;
  },
  print: (layers) => layers.join("-"),
};

/** @type {Key} */
const KEPT = {
  field: "kept",
  expected: ({ hidden }) => `a hexadecimal mask for each layer of ${hidden.join(" and ")} nodes`,
  parse(text, { hidden }) {
    const masks = text.split(".");
    const kept = masks.map((mask, layer) => nodesOf(mask, hidden[layer]));
    const fits = masks.length === hidden.length && kept.every((nodes) => nodes.length);
    return fits ? kept : undefined;
  },
  print: (kept) => (kept ?? []).map(maskOf).join("."),
};

/** @type {Key} */
const CHOSEN_AT = {
  field: "chosenAt",
  expected: ({ kept, steps }) =>
    kept ? `${BY_HAND} or a whole number from 0 to ${steps}` : "nothing without kept nodes",
  parse(text, { kept, steps }) {
    if (!kept) return undefined;
    return text === BY_HAND ? null : integer(text, [0, steps]);
  },
  print: (step) => (step === null ? BY_HAND : String(step)),
};

/** @param {number} value @param {number[]} limits */
function within(value, [least, largest]) {
  return value >= least && value <= largest ? value : undefined;
}

/** @param {string} text @param {number[]} limits */
function integer(text, limits) {
  return within(INTEGER.test(text) ? +text : NaN, limits);
}

/** Numbers joined by "-", or undefined. @param {string} text @param {number[]} limits */
function integers(text, limits) {
  const values = text.split("-").map((part) => integer(part, limits));
  return values.every((value) => value !== undefined) ? values : undefined;
}

/** Nodes whose bits are set; none for a mask that does not fit. @param {string} mask @param {number} count */
function nodesOf(mask, count) {
  const bits = HEX.test(mask) ? BigInt(`0x${mask}`) : 0n;
  if (!count || bits >> BigInt(count)) return [];
  return Array.from({ length: count }, (_, node) => node).filter(
    (node) => (bits >> BigInt(node)) & 1n,
  );
}

/** @param {number[]} nodes */
function maskOf(nodes) {
  return nodes.reduce((bits, node) => bits | (1n << BigInt(node)), 0n).toString(16);
}
