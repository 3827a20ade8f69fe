// Training one network by a recipe, step by step, with the batches and the arithmetic of `helpers`.

import { lossGradient, meanLoss } from "./losses.js";
import { backpropagate, copied, propagate, room } from "./network.js";
import { Stream } from "./random.js";

/**
 * @typedef {import("./network.js").Network} Network
 * @typedef {import("./network.js").Points} Points
 * @typedef {{optimiser: string, learningRate: number, batchSize: number | null,
 *   steps: number, betas: [number, number], epsilon: number, momentum: number}} Recipe
 *   batchSize: points drawn for each step; null: the full training set
 * @typedef {{first: Float32Array, second: Float32Array}} Means running means of one parameter
 * @typedef {(parameter: Float32Array, gradient: Float32Array, means: Means, recipe: Recipe,
 *   step: number) => void} Optimiser moves a parameter; step counts from 1
 */

const LEAST = 2 ** -126; // below lie subnormal numbers, which nodes that died leave and which crawl
export const LOSS_EVERY = 10; // steps between recorded losses

/** Adam, epsilon added after the correction for the start (Kingma and Ba 2015). @type {Optimiser} */
function adam(parameter, gradient, { first, second }, recipe, step) {
  const [beta1, beta2] = recipe.betas;
  const rate = recipe.learningRate / (1 - power(beta1, step));
  const root = Math.sqrt(1 - power(beta2, step));
  for (let k = 0; k < parameter.length; k++) {
    first[k] = normal(beta1 * first[k] + (1 - beta1) * gradient[k]);
    second[k] = normal(beta2 * second[k] + (1 - beta2) * gradient[k] * gradient[k]);
    parameter[k] -= (rate * first[k]) / (Math.sqrt(second[k]) / root + recipe.epsilon);
  }
}

/** Plain gradient descent. @type {Optimiser} */
function sgd(parameter, gradient, _, { learningRate }) {
  for (let k = 0; k < parameter.length; k++) parameter[k] -= learningRate * gradient[k];
}

/** Gradient descent with momentum. @type {Optimiser} */
function momentum(parameter, gradient, { first }, recipe) {
  for (let k = 0; k < parameter.length; k++) {
    first[k] = normal(recipe.momentum * first[k] + gradient[k]);
    parameter[k] -= recipe.learningRate * first[k];
  }
}

/** Every parameter moves by the learning rate (Bernstein et al. 2018). @type {Optimiser} */
function signSgd(parameter, gradient, _, { learningRate }) {
  for (let k = 0; k < parameter.length; k++) parameter[k] -= learningRate * Math.sign(gradient[k]);
}

/** @type {Record<string, Optimiser>} */
export const OPTIMISERS = { adam, sgd, momentum, sign_sgd: signSgd };

/** @param {number} value */
function normal(value) {
  return value < LEAST && value > -LEAST ? 0 : value;
}

/**
 * A whole power by products alone, which every browser rounds alike.
 * @param {number} base
 * @param {number} exponent
 */
export function power(base, exponent) {
  let result = 1;
  for (let [square, left] = [base, exponent]; left > 0; left = Math.floor(left / 2)) {
    if (left % 2) result *= square;
    square *= square;
  }
  return result;
}

/** A network in training. */
export class Training {
  /**
   * @param {Network} start stays as it is
   * @param {Points} points
   * @param {Recipe} recipe
   * @param {number} orderSeed whose batch order to take
   */
  constructor(start, points, recipe, orderSeed) {
    this.network = copied(start);
    this.step = 0;
    /** @type {number[]} */ this.losses = []; // of the batch, before every tenth step
    this.points = points;
    this.recipe = recipe;
    this.stream = new Stream(orderSeed, "batch order");
    this.gradient = copied(start);
    this.means = parametersOf(start).map(({ length }) => {
      return { first: new Float32Array(length), second: new Float32Array(length) };
    });
    const samples = recipe.batchSize ?? points.count;
    this.outputs = room(start.widths, samples);
    this.errors = room(start.widths, samples);
    this.y = new Uint8Array(samples);
  }

  /** Take one step. */
  advance() {
    const { network, outputs, errors, y, recipe } = this;
    const last = outputs.length - 1;
    this.drawBatch();
    propagate(network, outputs, y.length);
    if (this.step % LOSS_EVERY === 0) this.losses.push(meanLoss(outputs[last], y));
    lossGradient(outputs[last], y, errors[last]);
    for (let k = 0; k < errors[last].length; k++) errors[last][k] /= y.length;
    backpropagate(network, outputs, errors, y.length, this.gradient);
    this.step += 1;
    this.move(OPTIMISERS[recipe.optimiser]);
  }

  /** Fill inputs and labels with points drawn uniformly with replacement, or with all. */
  drawBatch() {
    const { x, y, count } = this.points;
    const [inputs, size] = [this.outputs[0], this.y.length];
    for (let sample = 0; sample < size; sample++) {
      const point = this.recipe.batchSize ? this.stream.below16(count) : sample;
      this.y[sample] = y[point];
      for (let k = 0; k * size < inputs.length; k++) {
        inputs[k * size + sample] = x[k * count + point];
      }
    }
  }

  /** @param {Optimiser} optimiser */
  move(optimiser) {
    const gradients = parametersOf(this.gradient);
    parametersOf(this.network).forEach((parameter, k) => {
      optimiser(parameter, gradients[k], this.means[k], this.recipe, this.step);
    });
  }
}

/** @param {Network} network */
function parametersOf({ weights, biases }) {
  return [...weights, ...biases];
}
