// Criteria: functions that score every hidden node; the nodes of lowest score go first.
// The same as in `helpers.criteria`; all read the training points only.

import { lossGradient, meanLoss } from "./losses.js";
import { gate, outputsAt, passBack, propagate, room } from "./network.js";
import { Stream } from "./random.js";
import { dot, moments, norm } from "./statistics.js";

/**
 * @typedef {import("./network.js").Network} Network
 * @typedef {import("./network.js").Points} Points
 * @typedef {(network: Network, points: Points, seed: number) => Float64Array[]} Criterion
 *   scores of the nodes, per hidden layer
 */

/**
 * One number for each hidden node, from its outputs at the training points.
 * @param {Network} network @param {Points} points
 * @param {(outputs: Float32Array, layer: number, node: number) => number} score
 *   layers counted from the inputs, 0
 */
function eachNode(network, points, score) {
  const outputs = outputsAt(network, points.x, points.count);
  return hidden(network).map((layer) =>
    Float64Array.from({ length: network.widths[layer] }, (_, node) =>
      score(rowOf(outputs[layer], node, points.count), layer, node),
    ),
  );
}

/** @param {Network} network */
function hidden({ weights }) {
  return weights.slice(1).map((_, k) => k + 1);
}

/** @param {Float32Array} values @param {number} row @param {number} length */
function rowOf(values, row, length) {
  return values.subarray(row * length, (row + 1) * length);
}

/** Uniform random numbers. @type {Criterion} */
function random({ widths }, _, seed) {
  const stream = new Stream(seed, "random pruning");
  return widths
    .slice(1, -1)
    .map((width) => Float64Array.from({ length: width }, () => stream.double()));
}

/** The standard deviation of a node's output: the post's criterion. @type {Criterion} */
function std(network, points) {
  return eachNode(network, points, (outputs) => moments(outputs).deviation);
}

/** Standard deviation times the norm of the outgoing weights. @type {Criterion} */
function contribution(network, points) {
  return eachNode(network, points, (outputs, layer, node) => {
    return moments(outputs).deviation * norm(outgoing(network, layer, node));
  });
}

/** The norm of the incoming weights. @type {Criterion} */
function magnitude({ widths, weights }) {
  return widths.slice(1, -1).map((width, k) => {
    const incoming = (/** @type {number} */ node) => rowOf(weights[k], node, widths[k]);
    return Float64Array.from({ length: width }, (_, node) => norm([...incoming(node)]));
  });
}

/** The share of points where the node fires: 1 - APoZ (Hu et al. 2016). @type {Criterion} */
function apoz(network, points) {
  return eachNode(network, points, (outputs) => outputs.filter((a) => a > 0).length / points.count);
}

/** The mean absolute output. @type {Criterion} */
function meanAbs(network, points) {
  return eachNode(network, points, (outputs) => moments(outputs.map(Math.abs)).mean);
}

/**
 * How much the loss changes, to first order, when the node becomes its mean (Molchanov et al. 2017).
 * @type {Criterion}
 */
function taylor(network, points) {
  const outputs = outputsAt(network, points.x, points.count);
  const gradients = outputGradients(network, outputs, points.y);
  return hidden(network).map((layer) =>
    Float64Array.from({ length: network.widths[layer] }, (_, node) => {
      const [output, gradient] = [outputs, gradients].map((all) =>
        rowOf(all[layer], node, points.count),
      );
      const { mean } = moments(output);
      return (
        Math.abs(output.reduce((sum, a, k) => sum + gradient[k] * (mean - a), 0)) / points.count
      );
    }),
  );
}

/**
 * Gradients of the summed loss in the outputs of all layers.
 * @param {Network} network @param {Float32Array[]} outputs @param {Uint8Array} y
 */
function outputGradients(network, outputs, y) {
  const gradients = room(network.widths, y.length);
  const last = network.weights.length;
  lossGradient(outputs[last], y, gradients[last]);
  for (let layer = last - 1; layer > 0; layer--) {
    const error = gradients[layer + 1].slice();
    if (layer + 1 < last) gate(error, outputs[layer + 1]);
    passBack(network, layer, error, gradients[layer], y.length);
  }
  return gradients;
}

/** The true increase of the training loss when the node alone becomes its mean. @type {Criterion} */
function oracle(network, points) {
  const before = outputsAt(network, points.x, points.count);
  const last = network.weights.length;
  const loss = meanLoss(before[last], points.y);
  const outputs = room(network.widths, points.count);
  return eachNode(network, points, (own, layer, node) => {
    outputs[layer].set(before[layer]);
    rowOf(outputs[layer], node, points.count).fill(moments(own).mean);
    propagate(network, outputs, points.count, layer);
    return meanLoss(outputs[last], points.y) - loss;
  });
}

/**
 * A bound on what removing the node alone does to the logits, gates being half open, give or take
 * half (notebook 06).
 * @type {Criterion}
 */
function centredGate(network, points, seed) {
  const weights = withCentredLogits(network);
  const deviations = std(network, points, seed);
  return deviations.map((deviation, k) => {
    const [into, ...after] = weights.slice(k + 1);
    /** @param {number[][]} rows */
    const alone = (rows) =>
      product(rows, into).map((row) => row.map((value, node) => Math.abs(value) * deviation[node]));
    const changes = after.length ? halfPassed(alone, after) : alone(identity(into.length));
    return deviation.map((_, node) => norm(changes.map((row) => row[node])));
  });
}

/**
 * Bound what passes through gates that are half open, give or take half (`helpers.gates`).
 * @param {(rows: number[][]) => number[][]} size of rows @ change
 * @param {number[][][]} weights of the layers after the change, at least one
 * @returns {number[][]}
 */
function halfPassed(size, weights) {
  const rows = weights[weights.length - 1];
  const before = weights.slice(0, -1);
  /** @param {number[][]} some */
  const linear = (some) => {
    if (!before.length) return size(some);
    return halfPassed(size, [...before.slice(0, -1), product(some, before[before.length - 1])]);
  };
  const absolute = rows.map((row) => row.map(Math.abs));
  const spread = product(absolute, linear(identity(rows[0].length)));
  return linear(rows).map((row, i) => row.map((value, j) => (value + spread[i][j]) / 2));
}

/**
 * The turn in which a node goes if each turn adds least to the covariance bound of those gone.
 * @type {Criterion}
 */
function covarianceGreedy(network, points) {
  const outputs = outputsAt(network, points.x, points.count);
  const weights = withCentredLogits(network);
  return hidden(network).map((layer) => {
    const nodes = Array.from({ length: network.widths[layer] }, (_, node) => node);
    const deviations = nodes.map((node) => {
      const row = rowOf(outputs[layer], node, points.count);
      const { mean } = moments(row);
      return Float64Array.from(row, (a) => a - mean);
    });
    const columns = nodes.map((node) => weights[layer].map((row) => row[node]));
    const costs = nodes.map((i) =>
      nodes.map((j) => dot(columns[i], columns[j]) * dot(deviations[i], deviations[j])),
    );
    return turns(costs);
  });
}

/**
 * The turn of each node when the cheapest goes next; removing a set costs all entries within it.
 * @param {number[][]} costs
 */
function turns(costs) {
  const turn = new Float64Array(costs.length);
  const extra = costs.map((row, node) => row[node]); // what each node would add now
  for (let now = 0; now < costs.length; now++) {
    const node = extra.indexOf(extra.reduce((least, cost) => Math.min(least, cost), Infinity));
    turn[node] = now;
    costs[node].forEach((cost, other) => (extra[other] += 2 * cost));
    extra[node] = Infinity;
  }
  return turn;
}

/** @type {Record<string, Criterion>} */
export const CRITERIA = {
  random,
  std,
  contribution,
  magnitude,
  apoz,
  mean_abs: meanAbs,
  taylor,
  oracle,
  centred_gate: centredGate,
  covariance_greedy: covarianceGreedy,
};

/**
 * The weights as rows of numbers, the last ones minus their mean over several logits: no loss
 * changes.
 * @param {Network} network
 */
function withCentredLogits({ widths, weights }) {
  const all = weights.map((weight, k) =>
    Array.from({ length: widths[k + 1] }, (_, node) => [...rowOf(weight, node, widths[k])]),
  );
  const last = all[all.length - 1];
  const means = last[0].map((_, k) => last.reduce((sum, row) => sum + row[k], 0) / last.length);
  if (last.length > 1) all[all.length - 1] = last.map((row) => row.map((w, k) => w - means[k]));
  return all;
}

/** @param {Network} network @param {number} layer @param {number} node */
function outgoing({ widths, weights }, layer, node) {
  return Array.from(
    { length: widths[layer + 1] },
    (_, k) => weights[layer][k * widths[layer] + node],
  );
}

/** @param {number[][]} a @param {number[][]} b */
function product(a, b) {
  const columns = b[0].map((_, k) => b.map((row) => row[k]));
  return a.map((row) => columns.map((column) => dot(row, column)));
}

/** @param {number} size */
function identity(size) {
  return Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)),
  );
}
