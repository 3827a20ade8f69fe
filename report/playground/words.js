// What a frame means, in words.

import { sameNodes } from "./pruning.js";

/** @typedef {import("./session.js").Frame} Frame */

/** Noise floors that a gap has to pass: one training in twenty differs from itself by as much. */
export const FAR = 2;
const LIST = new Intl.ListFormat("en-GB");
const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"];

/** What the nodes are ranked by, those with the least going first. @type {Record<string, string>} */
const CRITERIA = {
  random: "the seed decides which nodes go",
  std: "standard deviation of a node's output",
  contribution: "std times the norm of the outgoing weights",
  magnitude: "norm of the incoming weights",
  apoz: "share of points where a node fires",
  mean_abs: "mean absolute output of a node",
  taylor: "first-order change of the loss when a node becomes its mean",
  oracle: "true increase of the loss when a node becomes its mean",
  centred_gate: "bound on what losing a node does to the logits",
  covariance_greedy: "turn in which a node goes if each turn adds least to a bound",
};

/** What makes up for removed nodes. @type {Record<string, string>} */
const COMPENSATIONS = {
  none: "nothing makes up for removed nodes",
  mean: "biases take over what removed nodes give on average",
  linear: "a linear fit of kept nodes takes over what removed ones give",
};

/**
 * A hidden layer by its place, counted from 0.
 * @param {number} layer
 */
export function layerName(layer) {
  return `${ORDINALS[layer] ?? `${layer + 1}th`} layer`;
}

/**
 * A share with two decimals.
 * @param {number | null} value
 */
export function decimal(value) {
  return value === null ? "–" : value.toFixed(2);
}

/**
 * A share in percent, with a decimal where it is small.
 * @param {number} value
 */
export function percent(value) {
  const digits = value > 0 && value < 0.0995 ? 1 : 0;
  return `${(100 * value).toFixed(digits)}\u202f%`;
}

/**
 * Whether the two orders commute in this network, as a sentence.
 * @param {Frame} frame
 */
export function verdict({ step, behind, running, kept, hidden, gap, floor, diverged }) {
  if (diverged.dense || diverged.B) {
    return "Training diverged: weights are no longer finite. A smaller learning rate may help.";
  }
  if (step === 0) return "Untrained: both orders are the same network.";
  if (kept.every((nodes, layer) => nodes.length === hidden[layer])) {
    return "No node is removed: both orders are the same network.";
  }
  if (behind < step) return `Prune first catches up: step ${behind} of ${step}.`;
  if (running) return "Both orders train; gap and noise floor still move.";
  const orders = `The orders differ on ${percent(gap)} of the plane`;
  if (floor === null) return `${orders}; how far training differs from itself is not known yet.`;
  const meaning =
    gap > FAR * floor ? "they do not commute here" : "nothing here speaks against their commuting";
  return `${orders}, training differs from itself on ${percent(floor)}: ${meaning}.`;
}

/**
 * What criterion and compensation mean.
 * @param {string} criterion
 * @param {string} compensation
 */
export function meaning(criterion, compensation) {
  const compensated = `${compensation}: ${COMPENSATIONS[compensation]}`;
  return `${criterion}: ${CRITERIA[criterion]}; ${compensated}.`;
}

/**
 * How many nodes are removed, and what chose them.
 * @param {Frame} frame
 * @param {string} criterion
 * @param {number[][] | undefined} given kept nodes of networks trained elsewhere
 */
export function removal({ kept, hidden, chosenAt }, criterion, given) {
  const counts = kept.map((nodes, layer) => `${hidden[layer] - nodes.length} of ${hidden[layer]}`);
  const untouched = chosenAt === null && given !== undefined && sameNodes(kept, given);
  const by = untouched ? "as given" : chooser(criterion, chosenAt);
  return `${LIST.format(counts)} nodes removed: ${by}.`;
}

/** @param {string} criterion @param {number | null} chosenAt */
function chooser(criterion, chosenAt) {
  if (chosenAt === null) return "by hand";
  if (criterion === "random") return "at random";
  return chosenAt === 0
    ? `lowest ${criterion} in the untrained network`
    : `lowest ${criterion} in the network trained to step ${chosenAt}`;
}
