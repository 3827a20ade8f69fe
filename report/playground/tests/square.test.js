// What is true of every square, and what the study found.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MOVEMENTS } from "../colours.js";
import { accuracies, view } from "../frames.js";
import { initialise, logitsAt } from "../network.js";
import { PROBLEMS } from "../problems.js";
import { everything } from "../pruning.js";
import { LiveSquare } from "../square.js";
import { recipeOf } from "./networks.js";
import { close } from "./vectors.js";

const problem = PROBLEMS.spirals(0.02, 0);

/** @param {number[]} widths @param {Partial<import("../training.js").Recipe>} recipe */
function squareOf(widths, recipe = {}, seed = 0, start = initialise(widths, seed)) {
  return new LiveSquare({
    ...{ problem, initial: start, recipe: recipeOf(recipe), seed },
    ...{ compensation: "mean", ends: null },
  });
}

/** @param {LiveSquare} square @param {number} steps */
function advance(square, steps) {
  while (square.step < steps || square.behind < square.step) square.advance();
  while (square.unrecorded) square.record();
}

test("before training both orders are one network", () => {
  const square = squareOf([2, 9, 8, 1]);
  square.choose("random", 0.5, [0, 1]);
  assert.deepEqual(square.trainFirst, square.branch.first.network);
  assert.equal(view(square).gap, 0);
  assert.equal(square.floor, 0);
});

test("with every node kept both orders are one network after training, too", () => {
  const square = squareOf([2, 9, 8, 1]);
  advance(square, 60);
  assert.deepEqual(square.trainFirst, square.branch.first.network);
  assert.ok(square.floor > 0); // and another batch order gives another
});

test("nodes dead from the start commute exactly", () => {
  const start = initialise([2, 9, 8, 1], 0);
  start.biases[0].fill(-100, 0, 4);
  const square = squareOf([2, 9, 8, 1], {}, 0, start);
  square.remove(everything(start).map((nodes, layer) => (layer ? nodes : nodes.slice(4))));
  advance(square, 200);
  const { x, count } = problem.train;
  const [a, b] = [square.trainFirst, square.branch.first.network].map((n) => logitsAt(n, x, count));
  assert.deepEqual(a, b);
});

test("nodes chosen late give the same B as nodes chosen at once", () => {
  const [late, early] = [squareOf([2, 9, 8, 1]), squareOf([2, 9, 8, 1])];
  early.choose("random", 0.5, [0, 1]);
  advance(early, 120);
  advance(late, 120);
  late.choose("random", 0.5, [0, 1]);
  assert.equal(late.behind, 0);
  advance(late, 120);
  assert.deepEqual(late.branch.first.network, early.branch.first.network);
  assert.deepEqual(late.branch.records, early.branch.records);
  assert.deepEqual(
    late.branch.records.map(({ step }) => step),
    [0, 50, 100],
  );
});

test("rewinding leads back to the same initialisation and the same training", () => {
  const square = squareOf([2, 9, 8, 1]);
  square.choose("std", 0.5, [0, 1]);
  advance(square, 70);
  const before = structuredClone([square.dense.network, square.branch.first.network]);
  square.rewind();
  assert.equal(square.step, 0);
  assert.deepEqual(square.dense.network, square.beginning.initial);
  advance(square, 70);
  assert.deepEqual([square.dense.network, square.branch.first.network], before);
});

test("networks trained elsewhere stand until another choice of nodes", () => {
  const trained = squareOf([2, 9, 8, 1], { steps: 60 });
  trained.choose("random", 0.5, [0, 1]);
  advance(trained, 60);
  const { kept, first } = trained.branch;
  const ends = { kept, dense: trained.dense.network, pruneFirst: first.network };
  const given = new LiveSquare({ ...trained.beginning, ends });
  assert.deepEqual([given.step, given.behind], [60, 0]); // B's repetition is still to be trained
  advance(given, 60);
  assert.equal(given.floor, trained.floor);
  assert.equal(view(given).gap, view(trained).gap);
  given.remove(everything(given.beginning.initial));
  advance(given, 60);
  assert.equal(view(given).gap, 0);
});

test("random halves do not commute, and weights coast by 0.6", () => {
  const square = squareOf([2, 50, 50, 1]);
  square.choose("random", 0.5, [0, 1]);
  advance(square, 1500);
  const { gap, scatter, diverged } = view(square);
  assert.ok(gap > 0.2 && gap > square.floor + 0.1, `gap ${gap}, floor ${square.floor}`);
  close([scatter.coast ?? NaN], [0.6], 2e-3);
  const coasted = scatter.group.filter((group) => MOVEMENTS[group].name === "coasted");
  assert.ok(coasted.length > 10, `${coasted.length} of ${scatter.group.length} coasted`);
  assert.deepEqual(diverged, { dense: false, B: false });
  assert.ok(accuracies(square).dense > 0.95);
});

test("a network that diverges is said to", () => {
  const square = squareOf([2, 9, 8, 1], { optimiser: "sgd", learningRate: 1e30 });
  advance(square, 20);
  assert.deepEqual(view(square).diverged, { dense: true, B: true });
});
