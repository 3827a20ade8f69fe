// One multilayer perceptron with ReLU: initial weights, outputs, the gradient of its loss.

import { matrix, multiply, transposed } from "./matrices.js";
import { Stream } from "./random.js";

/**
 * @typedef {{widths: number[], weights: Float32Array[], biases: Float32Array[]}} Network
 *   weights[layer][node * fan-in + node before]; the last layer gives logits.
 * @typedef {{x: Float32Array, y: Uint8Array, count: number}} Points
 *   x[feature * count + point], labels y.
 */

const TILE = 100; // points evaluated together: what a layer gives then stays in the cache

/**
 * The untrained network of a seed: Glorot's uniform weights, zero biases.
 *
 * The same numbers as `helpers.networks.initialise`.
 * @param {number[]} widths nodes per layer, from inputs to logits
 * @param {number} seed
 * @returns {Network}
 */
export function initialise(widths, seed) {
  const stream = new Stream(seed, "initial weights");
  const weights = [];
  for (let layer = 1; layer < widths.length; layer++) {
    const [fanIn, fanOut] = [widths[layer - 1], widths[layer]];
    const limit = Math.fround(Math.sqrt(6 / (fanIn + fanOut)));
    const weight = new Float32Array(fanOut * fanIn);
    for (let node = 0; node < fanOut; node++) {
      for (let k = 0; k < fanIn; k++) weight[node * fanIn + k] = limit * (2 * stream.float() - 1);
      stream.float(); // where other schemes draw a bias
    }
    weights.push(weight);
  }
  return { widths, weights, biases: widths.slice(1).map((width) => new Float32Array(width)) };
}

/**
 * A network with parameters of its own.
 * @param {Network} network
 * @returns {Network}
 */
export function copied({ widths, weights, biases }) {
  const own = (/** @type {Float32Array} */ values) => values.slice();
  return { widths: [...widths], weights: weights.map(own), biases: biases.map(own) };
}

/**
 * Whether some parameter is no finite number.
 * @param {Network} network
 */
export function diverged({ weights, biases }) {
  return ![...weights, ...biases].every((values) => values.every(Number.isFinite));
}

/**
 * Memory for one value of every node at some samples, layer by layer, inputs and logits included.
 * @param {number[]} widths
 * @param {number} samples
 * @returns {Float32Array[]} (nodes, samples) each
 */
export function room(widths, samples) {
  return widths.map((width) => new Float32Array(width * samples));
}

/**
 * Fill the outputs of all layers from those of layer 0, the inputs.
 * @param {Network} network
 * @param {Float32Array[]} outputs as `room` gives it
 * @param {number} samples
 * @param {number} first the layer from whose outputs to go on
 */
export function propagate({ widths, weights, biases }, outputs, samples, first = 0) {
  let firing = [...Array(widths[first]).keys()];
  for (let layer = first; layer < weights.length; layer++) {
    const [fanIn, fanOut] = [widths[layer], widths[layer + 1]];
    const [weight, below] = [
      columns(weights[layer], fanIn, firing),
      rows(outputs[layer], samples, firing),
    ];
    const out = outputs[layer + 1];
    multiply(weight, below, biases[layer], out, fanOut, firing.length, samples);
    if (layer + 1 < weights.length) firing = rectify(out, fanOut, samples);
  }
}

/**
 * Put 0 in the place of what is negative.
 * @param {Float32Array} values @param {number} width @param {number} samples
 * @returns {number[]} the nodes that do not give 0 at every sample: of trained networks often few
 */
function rectify(values, width, samples) {
  const firing = [];
  for (let node = 0, k = 0; node < width; node++) {
    let fires = false;
    for (const end = k + samples; k < end; k++) {
      if (values[k] <= 0) values[k] = 0;
      else fires = true;
    }
    if (fires) firing.push(node);
  }
  return firing;
}

/** @param {Float32Array} values @param {number} length @param {number[]} some */
function columns(values, length, some) {
  if (some.length === length) return matrix(values, length);
  const own = new Float32Array((values.length / length) * some.length);
  for (let at = 0, row = 0; row < values.length; row += length) {
    for (let k = 0; k < some.length; k++) own[at++] = values[row + some[k]];
  }
  return matrix(own, some.length);
}

/** @param {Float32Array} values @param {number} length @param {number[]} some */
function rows(values, length, some) {
  if (some.length * length === values.length) return matrix(values, length);
  const own = new Float32Array(some.length * length);
  for (let k = 0, at = 0; k < some.length; k++) {
    const first = some[k] * length; // copied one by one: a view of each row costs more
    for (let from = first; from < first + length; from++) own[at++] = values[from];
  }
  return matrix(own, length);
}

/**
 * The outputs of all layers at some points.
 * @param {Network} network
 * @param {Float32Array} x (features, points)
 * @param {number} count points
 * @returns {Float32Array[]} (nodes, points) each, the inputs first, the logits last
 */
export function outputsAt(network, x, count) {
  const outputs = room(network.widths, count);
  outputs[0].set(x);
  propagate(network, outputs, count);
  return outputs;
}

/**
 * Pass points through a network tile by tile and hand every tile's outputs on.
 * @param {Network} network
 * @param {Float32Array} x (features, points)
 * @param {number} count points
 * @param {(outputs: Float32Array[], first: number, samples: number) => void} visit
 *   outputs (nodes, samples) of the points from `first` on, overwritten by the next tile
 */
export function inTiles(network, x, count, visit) {
  let outputs = room(network.widths, TILE);
  for (let first = 0; first < count; first += TILE) {
    const samples = Math.min(TILE, count - first);
    if (samples < TILE) outputs = room(network.widths, samples);
    for (let k = 0; k < network.widths[0]; k++) {
      outputs[0].set(x.subarray(k * count + first, k * count + first + samples), k * samples);
    }
    propagate(network, outputs, samples);
    visit(outputs, first, samples);
  }
}

/**
 * The logits at some points.
 * @param {Network} network
 * @param {Float32Array} x (features, points)
 * @param {number} count points
 * @returns {Float32Array} (logits, points)
 */
export function logitsAt(network, x, count) {
  const logits = new Float32Array(count * network.widths[network.widths.length - 1]);
  inTiles(network, x, count, (outputs, first, samples) => {
    const last = outputs[outputs.length - 1];
    for (let k = 0; k * count < logits.length; k++) {
      logits.set(last.subarray(k * samples, (k + 1) * samples), k * count + first);
    }
  });
  return logits;
}

/**
 * The gradient of the loss in what a layer gives, from that in what the next layer takes.
 * @param {Network} network
 * @param {number} layer counted from the inputs, 0
 * @param {Float32Array} error (nodes of the next layer, samples)
 * @param {Float32Array} out (nodes of the layer, samples)
 * @param {number} samples
 */
export function passBack({ widths, weights }, layer, error, out, samples) {
  const [fanIn, fanOut] = [widths[layer], widths[layer + 1]];
  const back = transposed(matrix(weights[layer], fanIn));
  multiply(back, matrix(error, samples), null, out, fanIn, fanOut, samples);
}

/**
 * Let through what a ReLU lets through: nothing where its output is 0.
 * @param {Float32Array} error
 * @param {Float32Array} output
 */
export function gate(error, output) {
  for (let k = 0; k < error.length; k++) if (output[k] === 0) error[k] = 0;
}

/**
 * Fill the gradient of the loss in every weight and bias, given that in the logits.
 * @param {Network} network
 * @param {Float32Array[]} outputs of all layers
 * @param {Float32Array[]} errors as large; the last one holds the gradient in the logits
 * @param {number} samples
 * @param {Network} gradient
 */
export function backpropagate(network, outputs, errors, samples, gradient) {
  for (let layer = network.weights.length - 1; layer >= 0; layer--) {
    const [fanIn, fanOut] = [network.widths[layer], network.widths[layer + 1]];
    const [error, below] = [matrix(errors[layer + 1], samples), matrix(outputs[layer], samples)];
    multiply(error, transposed(below), null, gradient.weights[layer], fanOut, samples, fanIn);
    sumRows(errors[layer + 1], samples, gradient.biases[layer]);
    if (layer > 0) {
      passBack(network, layer, errors[layer + 1], errors[layer], samples);
      gate(errors[layer], outputs[layer]);
    }
  }
}

/** @param {Float32Array} values @param {number} length @param {Float32Array} out */
function sumRows(values, length, out) {
  for (let row = 0; row < out.length; row++) {
    let sum = 0;
    for (let k = row * length; k < (row + 1) * length; k++) sum += values[k];
    out[row] = sum;
  }
}
