// The weight scatter: which weights of A and B trained, coasted, or were never updated.

import { MOVEMENTS } from "./colours.js";

/**
 * @typedef {import("./network.js").Network} Network
 * @typedef {import("./training.js").Recipe} Recipe
 * @typedef {{a: Float32Array, b: Float32Array, start: Float32Array, group: Uint8Array,
 *   coast: number | null}} Scatter
 *   a kernel of A, of B and where both began; group: a place in MOVEMENTS; coast: how far a weight
 *   coasts, null where the optimiser keeps no running means
 */

const [TRAINED, MIXED, COASTED, STILL] = MOVEMENTS.keys();
const WITHIN = 0.01; // relative tolerance of the distance coasted

/**
 * How far Adam moves a weight that receives a gradient at its first step only.
 *
 * The learning rate times the sum of m_t / sqrt(v_t), as `helpers.weights.adam_drift`.
 * @param {Recipe} recipe
 */
export function coastingDistance({ optimiser, learningRate, betas, steps }) {
  if (optimiser !== "adam") return null;
  let [sum, first, second] = [0, 1, 1]; // powers of the betas
  for (let t = 1; t <= steps; t++) {
    const mean = ((1 - betas[0]) * first) / (1 - first * betas[0]);
    const square = ((1 - betas[1]) * second) / (1 - second * betas[1]);
    sum += mean / Math.sqrt(square);
    first *= betas[0];
    second *= betas[1];
  }
  return learningRate * sum;
}

/**
 * The kernel between the first two hidden layers, or that of the inputs where there is one layer.
 * @param {Network} start
 * @param {Network} a
 * @param {Network} b
 * @param {Recipe} recipe
 * @returns {Scatter}
 */
export function scatter(start, a, b, recipe) {
  const layer = start.weights.length > 2 ? 1 : 0;
  const [from, ofA, ofB] = [start, a, b].map(({ weights }) => weights[layer].slice());
  const coast = coastingDistance(recipe);
  const group = Uint8Array.from(from, (initial, k) => {
    const [one, other] = [ofA[k], ofB[k]].map((end) => movement(end - initial, coast));
    return one === other ? one : MIXED;
  });
  return { a: ofA, b: ofB, start: from, group, coast };
}

/** @param {number} change @param {number | null} coast */
function movement(change, coast) {
  if (change === 0) return STILL;
  return coast && Math.abs(Math.abs(change) / coast - 1) <= WITHIN ? COASTED : TRAINED;
}
