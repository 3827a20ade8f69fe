// What the interface shows of a square at one moment, ready to be drawn.

import { differenceImage, mapImage, nodeImage } from "./draw.js";
import { classesOf, disagreement, toProbabilities } from "./losses.js";
import { scatter } from "./movement.js";
import { diverged, logitsAt, outputsAt } from "./network.js";
import { moments } from "./statistics.js";
import { LOSS_EVERY } from "./training.js";

/**
 * @typedef {import("./network.js").Network} Network
 * @typedef {import("./network.js").Points} Points
 * @typedef {import("./movement.js").Scatter} Scatter
 * @typedef {import("./grid.js").Grid} Grid
 * @typedef {import("./square.js").LiveSquare} LiveSquare
 * @typedef {import("./grid.js").Picture} Picture
 * @typedef {{image: Picture, deviation: number, dead: boolean}} NodeView
 * @typedef {{steps: number[], values: number[]}} Curve
 * @typedef {{
 *   step: number, behind: number, kept: number[][], hidden: number[],
 *   maps: {start: Picture, dense: Picture, A: Picture, B: Picture, difference: Picture},
 *   nodes: NodeView[][], losses: {dense: Curve, B: Curve}, scatter: Scatter, gap: number,
 *   diverged: {dense: boolean, B: boolean}
 * }} View
 * @typedef {{dense: number, A: number, B: number}} Corners
 */

/** @type {WeakMap<Network, Picture>} */ const STARTS = new WeakMap(); // pictures by network

/**
 * Everything that is drawn of a square as it is now.
 * @param {LiveSquare} square
 * @returns {View}
 */
export function view(square) {
  const { beginning, dense, grid } = square;
  const { first, start, kept } = square.branch;
  const trainFirst = square.trainFirst;
  const ends = [dense.network, trainFirst, first.network].map((network) => square.logits(network));
  const [, ofA, ofB] = ends.map((logits) => classesOf(logits, grid.count));
  const [onDense, onA, onB] = ends.map((logits) => picture(logits, grid));
  return {
    step: square.step,
    behind: square.behind,
    kept,
    hidden: beginning.initial.widths.slice(1, -1),
    maps: {
      start: startPicture(start, square),
      dense: onDense,
      A: onA,
      B: onB,
      difference: differenceImage(ofA, ofB, grid),
    },
    nodes: nodeViews(square),
    losses: { dense: curve(dense.losses), B: curve(first.losses) },
    scatter: scatter(start, trainFirst, first.network, beginning.recipe),
    gap: disagreement(ofA, ofB),
    diverged: { dense: diverged(dense.network), B: diverged(first.network) },
  };
}

/** @param {Network} start never changes, so it is painted once @param {LiveSquare} square */
function startPicture(start, square) {
  const painted = STARTS.get(start) ?? picture(square.logits(start), square.grid);
  STARTS.set(start, painted);
  return painted;
}

/** @param {Float32Array} logits overwritten @param {Grid} grid */
function picture(logits, grid) {
  return mapImage(toProbabilities(logits, grid.count), grid);
}

/**
 * Shares of held-out points that dense, A and B classify correctly.
 * @param {LiveSquare} square
 * @returns {Corners}
 */
export function accuracies(square) {
  const points = square.beginning.problem.heldOut;
  const [dense, A, B] = [square.dense.network, square.trainFirst, square.branch.first.network].map(
    (network) => 1 - disagreement(classesAt(network, points), points.y),
  );
  return { dense, A, B };
}

/** @param {Network} network @param {Points} points */
function classesAt(network, { x, count }) {
  return classesOf(logitsAt(network, x, count), count);
}

/** @param {number[]} values @returns {Curve} */
function curve(values) {
  return { steps: values.map((_, k) => k * LOSS_EVERY), values: [...values] };
}

/** @param {LiveSquare} square @returns {NodeView[][]} */
function nodeViews({ dense, beginning, thumbnail: grid }) {
  const { x, count } = beginning.problem.train;
  const pictures = outputsAt(dense.network, grid.x, grid.count).slice(1, -1);
  const outputs = outputsAt(dense.network, x, count).slice(1, -1);
  return pictures.map((layer, k) =>
    Array.from({ length: layer.length / grid.count }, (_, node) => {
      const image = nodeImage(layer.subarray(node * grid.count, (node + 1) * grid.count), grid);
      const own = outputs[k].subarray(node * count, (node + 1) * count);
      return { image, ...moments(own), dead: own.every((value) => value === 0) };
    }),
  );
}
