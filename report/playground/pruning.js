// Choose hidden nodes, remove them, and compensate the next layer for what they carried.

import { CRITERIA } from "./criteria.js";
import { leastSquares } from "./fitting.js";
import { outputsAt } from "./network.js";
import { moments } from "./statistics.js";

/**
 * @typedef {import("./network.js").Network} Network
 * @typedef {import("./network.js").Points} Points
 * @typedef {number[][]} Kept per hidden layer the sorted indices of the nodes that stay
 * @typedef {{slope: number[][], intercept: number[]}} Prediction of removed nodes from kept ones:
 *   slope[kept][removed], an intercept for each removed
 * @typedef {(kept: Float32Array[], removed: Float32Array[]) => Prediction} Compensation
 *   from the outputs of kept and removed nodes at the training points
 */

/**
 * The nodes that stay when a criterion removes a fraction of some hidden layers.
 *
 * round(fraction * nodes) go and at least one stays; of equal scores the lower index goes first.
 * @param {Network} network
 * @param {Points} points
 * @param {string} criterion a name in CRITERIA
 * @param {number} fraction share removed, in [0, 1)
 * @param {number[]} layers hidden layers to prune, counted from 0
 * @param {number} seed of random scores
 * @returns {Kept}
 */
export function choose(network, points, criterion, fraction, layers, seed) {
  return CRITERIA[criterion](network, points, seed).map((scores, layer) => {
    const nodes = [...scores.keys()].sort((a, b) => scores[a] - scores[b] || a - b);
    const gone = Math.min(roundHalfEven(fraction * nodes.length), nodes.length - 1);
    return nodes.slice(layers.includes(layer) ? gone : 0).sort((a, b) => a - b);
  });
}

/**
 * Round as Python does: halves to the even neighbour.
 * @param {number} value
 */
export function roundHalfEven(value) {
  const low = Math.floor(value);
  if (value - low === 0.5) return low + (low % 2);
  return Math.round(value);
}

/**
 * Whether two choices keep the same nodes.
 * @param {Kept} a
 * @param {Kept} b
 */
export function sameNodes(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Every node stays.
 * @param {Network} network
 * @returns {Kept}
 */
export function everything({ widths }) {
  return widths.slice(1, -1).map((width) => [...Array(width).keys()]);
}

/**
 * The smaller network that holds only the kept nodes, the next layer compensated.
 *
 * Layer by layer: what a layer gives is taken after the layers before it were pruned.
 * @param {Network} network stays as it is
 * @param {Kept} kept
 * @param {Points} points
 * @param {string} compensation a name in COMPENSATIONS
 * @returns {Network}
 */
export function prune(network, kept, points, compensation) {
  let pruned = network;
  kept.forEach((stay, hidden) => {
    const staying = new Set(stay);
    const width = pruned.widths[hidden + 1];
    const gone = [...Array(width).keys()].filter((node) => !staying.has(node));
    if (!gone.length) return;
    const outputs = outputsAt(pruned, points.x, points.count)[hidden + 1];
    const rows = (/** @type {number[]} */ nodes) =>
      nodes.map((node) => outputs.subarray(node * points.count, (node + 1) * points.count));
    const prediction = COMPENSATIONS[compensation](rows(stay), rows(gone));
    pruned = without(pruned, hidden, stay, gone, prediction);
  });
  return pruned;
}

/**
 * A network without the nodes gone, their prediction folded into the next layer.
 * @param {Network} network @param {number} layer @param {number[]} stay @param {number[]} gone
 * @param {Prediction} prediction
 * @returns {Network}
 */
function without({ widths, weights, biases }, layer, stay, gone, { slope, intercept }) {
  const [fanIn, width, fanOut] = widths.slice(layer);
  const own = Float32Array.from({ length: stay.length * fanIn }, (_, k) => {
    return weights[layer][stay[Math.floor(k / fanIn)] * fanIn + (k % fanIn)];
  });
  const next = new Float32Array(fanOut * stay.length);
  const offset = biases[layer + 1].slice();
  for (let node = 0; node < fanOut; node++) {
    const weight = weights[layer + 1].subarray(node * width, (node + 1) * width);
    const folded = (/** @type {number[]} */ shares) =>
      gone.reduce((sum, lost, k) => sum + weight[lost] * shares[k], 0);
    stay.forEach((kept, k) => (next[node * stay.length + k] = weight[kept] + folded(slope[k])));
    offset[node] += folded(intercept);
  }
  return {
    widths: widths.with(layer + 1, stay.length),
    weights: weights.with(layer, own).with(layer + 1, next),
    biases: biases
      .with(
        layer,
        Float32Array.from(stay, (node) => biases[layer][node]),
      )
      .with(layer + 1, offset),
  };
}

/** Predict the removed nodes as 0: plain deletion. @type {Compensation} */
function none(kept, removed) {
  const zeros = removed.map(() => 0);
  return { slope: kept.map(() => zeros), intercept: zeros };
}

/** Predict the removed nodes as their means: the post. @type {Compensation} */
function mean(kept, removed) {
  const { slope } = none(kept, removed);
  return { slope, intercept: removed.map((outputs) => moments(outputs).mean) };
}

/** Predict the removed nodes by least squares from the kept ones and an intercept.
 * @type {Compensation} */
function linear(kept, removed) {
  const centred = (/** @type {Float32Array} */ outputs) => {
    const centre = moments(outputs).mean;
    return { centre, off: Float64Array.from(outputs, (a) => a - centre) };
  };
  const [from, to] = [kept.map(centred), removed.map(centred)];
  const slope = leastSquares(
    from.map(({ off }) => off),
    to.map(({ off }) => off),
  );
  const intercept = to.map(({ centre }, k) =>
    from.reduce((left, { centre: own }, i) => left - own * slope[i][k], centre),
  );
  return { slope, intercept };
}

/** @type {Record<string, Compensation>} */
export const COMPENSATIONS = { none, mean, linear };
