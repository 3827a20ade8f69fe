// Criteria, choices and compensations against those of `helpers`, on trained networks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CRITERIA } from "../criteria.js";
import { meanLoss } from "../losses.js";
import { copied, initialise, logitsAt, outputsAt } from "../network.js";
import { PROBLEMS, plane } from "../problems.js";
import { choose, COMPENSATIONS, everything, prune, roundHalfEven, sameNodes } from "../pruning.js";
import { moments } from "../statistics.js";
import { networkOf } from "./networks.js";
import { close, VECTORS } from "./vectors.js";

const TOLERANCE = 1e-5;
const { train, half } = PROBLEMS.spirals(0.02, 0);

for (const stored of VECTORS.pruning) {
  const network = networkOf(stored.network);
  const name = network.widths.join("-");

  test(`logits of ${name}`, () => {
    close(logitsAt(network, plane(half, 4), 16), stored.logits, TOLERANCE);
  });

  for (const criterion of Object.keys(stored.scores)) {
    test(`scores of ${criterion} on ${name}`, () => {
      const scores = CRITERIA[criterion](network, train, stored.seed);
      scores.forEach((layer, k) => close(layer, stored.scores[criterion][k], TOLERANCE));
      assert.equal(scores.length, stored.scores[criterion].length);
    });

    test(`nodes kept by ${criterion} of ${name}`, () => {
      const layers = [...network.widths.keys()].slice(0, -2);
      const kept = choose(network, train, criterion, 0.4, layers, stored.seed);
      assert.deepEqual(kept, stored.kept[criterion]);
    });
  }

  for (const compensation of Object.keys(stored.pruned)) {
    test(`${name} pruned with ${compensation}`, () => {
      const kept = stored.kept_half;
      const pruned = prune(network, kept, train, compensation);
      const expected = networkOf(stored.pruned[compensation]);
      assert.deepEqual(pruned.widths, expected.widths);
      pruned.weights.forEach((weight, k) => close(weight, expected.weights[k], TOLERANCE));
      pruned.biases.forEach((bias, k) => close(bias, expected.biases[k], TOLERANCE));
    });
  }
}

test("every criterion and compensation of Python is here, under its name", () => {
  const [{ scores, pruned }] = VECTORS.pruning;
  assert.deepEqual(Object.keys(CRITERIA), Object.keys(scores));
  assert.deepEqual(Object.keys(COMPENSATIONS), Object.keys(pruned));
});

test("the loss may fall without a node, and a logit of 0 has a gradient as any other", () => {
  const one = { widths: [2, 1, 1], weights: [[1, 0], [1]], biases: [[0], [-1]] };
  const points = { x: Float32Array.of(1, 3, 0, 0), y: Uint8Array.of(0, 0), count: 2 };
  const sigmoid = (/** @type {number} */ z) => 1 / (1 + Math.exp(-z));
  const loss = (/** @type {number} */ z) => Math.log(1 + Math.exp(z)); // of class 0
  const network = networkOf(one); // gives 1 and 3, logits 0 and 2; their mean gives 1 and 1
  const scores = ["taylor", "oracle"].map((name) => CRITERIA[name](network, points, 0)[0][0]);
  close(scores, [(sigmoid(2) - sigmoid(0)) / 2, loss(1) - (loss(0) + loss(2)) / 2], 1e-6);
  assert.ok(scores[1] < 0);
});

/** @param {number[][]} a @param {number[][]} b */
function product(a, b) {
  return a.map((row) =>
    b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)),
  );
}

test("the bound of half open gates sums over all choices of the gates that break a path", () => {
  const widths = [2, 4, 3, 5, 4, 3];
  const network = initialise(widths, 3);
  const weights = network.weights.map((weight, k) =>
    Array.from({ length: widths[k + 1] }, (_, i) => [
      ...weight.subarray(i * widths[k], (i + 1) * widths[k]),
    ]),
  );
  const logits = weights[4];
  weights[4] = logits.map((row) =>
    row.map((value, k) => value - logits.reduce((sum, other) => sum + other[k], 0) / 3),
  );
  const deviations = CRITERIA.std(network, train, 0);
  const scores = CRITERIA.centred_gate(network, train, 0);
  deviations.forEach((deviation, layer) => {
    const after = weights.slice(layer + 1);
    const gates = after.length - 1;
    const absolute = (/** @type {number[][]} */ rows) => rows.map((row) => row.map(Math.abs));
    const bound = after[gates].map(() => [...deviation].fill(0));
    for (let broken = 0; broken < 2 ** gates; broken++) {
      let [path, size] = [after[0], /** @type {number[][] | null} */ (null)];
      for (let gate = 0; gate < gates; gate++) {
        if ((broken >> gate) & 1) {
          size = size ? product(absolute(path), size) : absolute(path);
          path = after[gate + 1];
        } else path = product(after[gate + 1], path);
      }
      const all = size ? product(absolute(path), size) : absolute(path);
      all.forEach((row, i) => row.forEach((value, j) => (bound[i][j] += value / 2 ** gates)));
    }
    const expected = deviation.map((own, j) => own * Math.hypot(...bound.map((row) => row[j])));
    close(scores[layer], expected, 1e-6);
  });
});

/** A network with every node alive, of several logits. */
function alive() {
  const network = initialise([2, 8, 6, 5, 3], 0);
  network.biases.forEach((bias) => bias.fill(0.2));
  assert.ok(CRITERIA.std(network, train, 0).every((layer) => layer.every((score) => score > 0)));
  return network;
}

test("node by node, oracle and taylor are changes of the loss when it becomes its mean", () => {
  const network = alive();
  const lossOf = (/** @type {import("../network.js").Network} */ one) =>
    meanLoss(logitsAt(one, train.x, train.count), train.y);
  const loss = lossOf(network);
  const outputs = outputsAt(network, train.x, train.count);
  for (const [k, layer] of CRITERIA.oracle(network, train, 0).entries()) {
    const [fanIn, width] = network.widths.slice(k);
    const taylor = CRITERIA.taylor(network, train, 0)[k];
    for (let node = 0; node < width; node++) {
      const own = outputs[k + 1].subarray(node * train.count, (node + 1) * train.count);
      const { mean } = moments(own);
      const without = copied(network);
      without.weights[k].fill(0, node * fanIn, (node + 1) * fanIn);
      without.biases[k][node] = mean;
      close([layer[node]], [lossOf(without) - loss], 1e-6);
      const [up, down] = [2 ** -9, -(2 ** -9)].map((share) => {
        const moved = copied(network); // gives this share of the mean instead of its own
        const next = moved.weights[k + 1];
        moved.biases[k + 1].forEach((bias, i, all) => {
          all[i] = bias + share * mean * next[i * width + node];
          next[i * width + node] *= 1 - share;
        });
        return lossOf(moved);
      });
      close([taylor[node]], [Math.abs(up - down) / 2 ** -8], 1e-4);
    }
  }
});

test("weights that all logits share change no bound", () => {
  const network = alive();
  for (const shared of [0, 2, 4]) {
    const shifted = copied(network);
    shifted.weights[3].forEach((weight, k, all) => (all[k] = weight + 9 * +(k % 5 === shared)));
    for (const name of ["centred_gate", "covariance_greedy"]) {
      const [before, after] = [network, shifted].map((one) => CRITERIA[name](one, train, 0));
      after.forEach((layer, k) => close(layer, before[k], 1e-5));
    }
  }
});

test("everything is every hidden node", () => {
  assert.deepEqual(everything(initialise([2, 3, 2, 1], 0)), [
    [0, 1, 2],
    [0, 1],
  ]);
});

test("a network that keeps everything stays as it is", () => {
  const network = networkOf(VECTORS.pruning[0].network);
  assert.equal(prune(network, everything(network), train, "linear"), network);
});

test("dead nodes go free", () => {
  const network = networkOf(VECTORS.pruning[0].network);
  network.biases[0].fill(-100, 0, 3); // dead wherever the training points are
  const kept = everything(network).map((nodes, layer) => (layer ? nodes : nodes.slice(3)));
  for (const compensation of Object.keys(COMPENSATIONS)) {
    const pruned = prune(network, kept, train, compensation);
    const logits = [network, pruned].map((n) => logitsAt(n, train.x, train.count));
    close(logits[1], logits[0], 1e-6);
  }
});

test("layers left alone keep all, and a layer never loses its last node", () => {
  const network = networkOf(VECTORS.pruning[0].network);
  const [first, second] = choose(network, train, "std", 0.99, [1], 0);
  assert.equal(first.length, network.widths[1]);
  assert.equal(second.length, 1);
});

test("halves round to even, as in Python", () => {
  assert.deepEqual([0.5, 1.5, 2.5, 3.4, 3.6].map(roundHalfEven), [0, 2, 2, 3, 4]);
});

test("nodes of one layer are not those of another", () => {
  assert.ok(sameNodes([[0, 2], [1]], [[0, 2], [1]]));
  assert.ok(!sameNodes([[0, 2], [1]], [[0], [2, 1]]));
});
