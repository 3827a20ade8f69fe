// Criteria, choices and compensations against those of `helpers`, on trained networks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CRITERIA } from "../criteria.js";
import { logitsAt } from "../network.js";
import { PROBLEMS, plane } from "../problems.js";
import { choose, COMPENSATIONS, everything, prune, roundHalfEven } from "../pruning.js";
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
