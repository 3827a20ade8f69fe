// What is true of every square, and what the study found.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MOVEMENTS } from "../colours.js";
import { accuracies, view } from "../frames.js";
import { disagreement } from "../losses.js";
import { initialise, logitsAt } from "../network.js";
import { choose, COMPENSATIONS, everything, prune } from "../pruning.js";
import { LiveSquare } from "../square.js";
import { Training } from "../training.js";
import { recipeOf } from "./networks.js";
import { advance, beginningOf, problem, squareOf } from "./squares.js";
import { close } from "./vectors.js";

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

test("records are what gap and floor were at every fiftieth step", () => {
  const square = squareOf([2, 9, 8, 1], {}, 3);
  square.choose("random", 0.5, [0, 1]);
  const expected = [];
  for (let step = 0; step <= 110; step++) {
    assert.deepEqual([square.step, square.behind], [step, step]);
    if (step % 50 === 0) {
      const [a, b] = [square.trainFirst, square.branch.first.network].map((n) => square.classes(n));
      expected.push({ step, gap: disagreement(a, b), floor: square.floor });
    }
    square.advance();
  }
  while (square.unrecorded) square.record();
  assert.deepEqual(square.branch.records, expected);
  assert.ok(expected[2].gap !== expected[2].floor && expected[1].gap !== expected[2].gap);
});

test("only steps before this one are to be recorded", () => {
  const square = squareOf([2, 3, 1]);
  assert.ok(!square.unrecorded);
  advance(square, 50);
  assert.equal(square.branch.records.length, 1);
});

test("B has the dense network's batches, its repetition those of a seed far away", () => {
  const square = squareOf([2, 9, 8, 1], {}, 3);
  square.choose("random", 0.5, [0]);
  advance(square, 20);
  const { start, first, again } = square.branch;
  for (const [way, seed] of /** @type {const} */ ([
    [first, 3],
    [again, 3 + 2 ** 32],
  ])) {
    const alone = new Training(start, problem.train, recipeOf({}), seed);
    while (alone.step < 20) alone.advance();
    assert.deepEqual(way.network, alone.network);
  }
});

test("nodes are chosen on the dense network as it is, at the training points", () => {
  const square = squareOf([2, 9, 8, 1]);
  advance(square, 60);
  for (const criterion of ["std", "taylor"]) {
    square.choose(criterion, 0.5, [0, 1]);
    const chosen = (/** @type {any} */ network, points = problem.train) =>
      choose(network, points, criterion, 0.5, [0, 1], 0);
    assert.deepEqual(square.branch.kept, chosen(square.dense.network));
    assert.notDeepEqual(square.branch.kept, chosen(square.beginning.initial));
  }
});

test("another compensation prunes both ends again, and B starts anew", () => {
  const { initial, ...others } = beginningOf([2, 9, 8, 1]);
  initial.biases.forEach((bias) => bias.fill(0.1)); // so that no bias is lost unseen
  const kept = [
    [0, 2, 5],
    [1, 3, 4],
  ];
  for (const first of Object.keys(COMPENSATIONS)) {
    const square = new LiveSquare({ ...others, initial, compensation: first });
    square.remove(kept);
    advance(square, 20);
    /** @param {string} compensation @param {number} behind */
    const follows = (compensation, behind) => {
      const ends = [initial, square.dense.network].map((network) =>
        prune(network, kept, problem.train, compensation),
      );
      assert.deepEqual([square.branch.start, square.trainFirst], ends);
      assert.equal(square.behind, behind);
    };
    follows(first, 20);
    for (const other of Object.keys(COMPENSATIONS)) {
      square.compensate(other);
      follows(other, 0);
      assert.deepEqual(square.branch.first.network, square.branch.start);
    }
  }
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
  assert.equal(given.branch.first.network, ends.pruneFirst);
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
