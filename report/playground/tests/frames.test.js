// What is shown of a square, each part against the way from the networks to it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MOVEMENTS } from "../colours.js";
import { CRITERIA } from "../criteria.js";
import { differenceImage, mapImage, nodeImage } from "../draw.js";
import { accuracies, view } from "../frames.js";
import { classesOf, disagreement, toProbabilities } from "../losses.js";
import { coastingDistance, scatter } from "../movement.js";
import { copied, initialise, logitsAt, outputsAt } from "../network.js";
import { recipeOf } from "./networks.js";
import { advance, problem, squareOf } from "./squares.js";

/** A square whose corners all differ, one node of the second layer dead. */
function trained() {
  const start = initialise([2, 9, 8, 1], 0);
  start.biases[1][2] = -100;
  const square = squareOf([2, 9, 8, 1], {}, 0, start);
  square.choose("random", 0.5, [0, 1]);
  advance(square, 60);
  return square;
}

const square = trained();
const { dense, trainFirst, branch, grid } = square;

test("every map is that of its network", () => {
  /** @param {import("../network.js").Network} network */
  const mapOf = (network) =>
    mapImage(toProbabilities(logitsAt(network, grid.x, grid.count), grid.count), grid);
  const networks = [branch.start, dense.network, trainFirst, branch.first.network];
  const [start, ofDense, A, B] = networks.map(mapOf);
  const classes = networks.map((one) => classesOf(logitsAt(one, grid.x, grid.count), grid.count));
  const difference = differenceImage(classes[2], classes[3], grid);
  const shown = view(square);
  assert.deepEqual(shown.maps, { start, dense: ofDense, A, B, difference });
  assert.equal(new Set(Object.values(shown.maps).map(String)).size, 5);
  assert.equal(shown.gap, disagreement(classes[2], classes[3]));
  assert.equal(view(square).maps.start, shown.maps.start); // painted once
});

test("every node has the picture, the deviation and the death of its own", () => {
  const { nodes } = view(square);
  const deviations = CRITERIA.std(dense.network, problem.train, 0);
  const fires = CRITERIA.apoz(dense.network, problem.train, 0);
  const { x, count } = square.thumbnail;
  const outputs = outputsAt(dense.network, x, count);
  assert.deepEqual(
    nodes.map((layer) => layer.length),
    [9, 8],
  );
  nodes.forEach((layer, k) =>
    layer.forEach((node, n) => {
      const own = outputs[k + 1].subarray(n * count, (n + 1) * count);
      assert.deepEqual(node.image, nodeImage(own, square.thumbnail));
      assert.equal(node.deviation, deviations[k][n]);
      assert.equal(node.dead, fires[k][n] === 0);
    }),
  );
  assert.equal(nodes[0][0].image.length, 4 * 25 * 25);
  assert.ok(nodes[1][2].dead);
});

test("steps, nodes and losses are told as they are now", () => {
  const one = trained();
  const { losses, behind, kept, hidden } = view(one);
  const steps = [0, 10, 20, 30, 40, 50];
  assert.deepEqual(losses, {
    dense: { steps, values: one.dense.losses },
    B: { steps, values: one.branch.first.losses },
  });
  assert.deepEqual([behind, kept, hidden], [60, one.branch.kept, [9, 8]]);
  one.advance();
  assert.equal(losses.dense.values.length, 6); // no longer grows
  one.choose("random", 0.25, [0]);
  assert.deepEqual([view(one).step, view(one).behind], [61, 0]);
});

test("dense and B diverge each for itself", () => {
  for (const name of ["dense", "B"]) {
    const one = trained();
    const { network } = name === "dense" ? one.dense : one.branch.first;
    network.weights[0][0] = NaN;
    assert.deepEqual(view(one).diverged, { dense: name === "dense", B: name === "B" });
  }
});

test("accuracies are shares of the held-out points", () => {
  const { x, y, count } = problem.heldOut;
  const [ofDense, A, B] = [dense.network, trainFirst, branch.first.network].map((network) => {
    const logits = logitsAt(network, x, count);
    return y.reduce((sum, label, k) => sum + Number(logits[k] > 0 === (label === 1)), 0) / count;
  });
  assert.equal(new Set([ofDense, A, B]).size, 3);
  const found = accuracies(square);
  for (const [name, share] of Object.entries({ dense: ofDense, A, B }))
    assert.ok(Math.abs(found[name] - share) < 1e-12, name);
});

test("the scatter is that of A and B from where both began", () => {
  const expected = scatter(branch.start, trainFirst, branch.first.network, recipeOf({}));
  assert.deepEqual(view(square).scatter, expected);
  assert.notDeepEqual(expected.a, expected.b);
});

test("weights trained, coasted, or were never updated", () => {
  const recipe = recipeOf({ learningRate: 0.1 });
  const coast = coastingDistance(recipe) ?? NaN;
  const [trained, coasted, still] = [0.5 * coast, coast, 0];
  /** @type {[number, number, string][]} */ const cases = [
    [trained, -trained, "trained"],
    [coasted, -coasted, "coasted"],
    [1.009 * coasted, 0.991 * coasted, "coasted"],
    [1.011 * coasted, 0.989 * coasted, "trained"],
    [still, still, "never updated"],
    [trained, coasted, "one of each"],
    [coasted, still, "one of each"],
    [still, trained, "one of each"],
  ];
  const start = initialise([2, 4, 2, 1], 0); // a kernel of eight weights
  start.weights[1].fill(0.25);
  const [a, b] = [0, 1].map((end) => {
    const network = copied(start);
    cases.forEach((changes, k) => (network.weights[1][k] += Number(changes[end])));
    return network;
  });
  const found = scatter(start, a, b, recipe);
  assert.deepEqual(
    [...found.group].map((group) => MOVEMENTS[group].name),
    cases.map(([, , name]) => name),
  );
  const kernels = [start, a, b].map(({ weights }) => weights[1]);
  assert.deepEqual([found.start, found.a, found.b], kernels);
  assert.equal(found.coast, coast);
  assert.ok(![found.start, found.a, found.b].some((values) => kernels.includes(values))); // copies
  const plain = scatter(start, a, b, recipeOf({ optimiser: "sgd" }));
  assert.equal(plain.coast, null);
  assert.equal(MOVEMENTS[plain.group[1]].name, "trained"); // nothing coasts
});

test("the kernel shown joins the first two hidden layers, or the inputs to the only one", () => {
  for (const [widths, layer] of /** @type {[number[], number][]} */ ([
    [[2, 3, 1], 0],
    [[2, 3, 4, 1], 1],
    [[2, 3, 4, 5, 1], 1],
  ])) {
    const network = initialise(widths, 0);
    assert.deepEqual(scatter(network, network, network, recipeOf({})).a, network.weights[layer]);
  }
});
