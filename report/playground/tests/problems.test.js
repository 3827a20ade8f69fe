import assert from "node:assert/strict";
import { test } from "node:test";

import { half, plane, PROBLEMS } from "../problems.js";
import { average, close, VECTORS } from "./vectors.js";

const ROUNDING = 1e-6; // of single precision

/**
 * @param {import("../problems.js").Points} points
 * @param {any} expected
 */
function agree({ x, y, count }, expected) {
  assert.equal(count, expected.count);
  assert.deepEqual([...y.slice(0, 3)], expected.y);
  close([average(y)], [expected.y_average], 1e-14);
  for (const k of [0, 1]) {
    const feature = x.slice(k * count, (k + 1) * count);
    close(feature.slice(0, 3), expected.x[k], ROUNDING);
    close([average(feature)], [expected.x_averages[k]], ROUNDING);
  }
}

for (const expected of VECTORS.problems) {
  const { name, noise, seed } = expected;
  test(`${name} with noise ${noise}, seed ${seed}`, () => {
    const problem = PROBLEMS[/** @type {keyof typeof PROBLEMS} */ (name)](noise, seed);
    assert.equal(problem.name, name);
    assert.equal(problem.classes, 2);
    agree(problem.train, expected.train);
    agree(problem.heldOut, expected.held_out);
    close([problem.half, half(problem)], [expected.half, expected.half], ROUNDING);
    close(plane(problem.half, 4), expected.plane.flat(), ROUNDING);
  });
}

test("all problems are tried", () => {
  const names = VECTORS.problems.map((/** @type {any} */ problem) => problem.name);
  assert.deepEqual(new Set(names), new Set(Object.keys(PROBLEMS)));
});

test("as many points as are asked for, labels and features of one length", () => {
  const { train, heldOut } = PROBLEMS.moons(0.1, 0, 51, 7);
  assert.deepEqual([train.count, train.y.length, train.x.length], [51, 51, 102]);
  assert.deepEqual([heldOut.count, heldOut.y.length, heldOut.x.length], [7, 7, 14]);
});

test("the training part has mean 0 and standard deviation 1", () => {
  const { x, count } = PROBLEMS.xor(0.05, 1).train;
  for (const feature of [x.slice(0, count), x.slice(count)]) {
    const mean = feature.reduce((sum, value) => sum + value, 0) / count;
    const square = feature.reduce((sum, value) => sum + value * value, 0) / count;
    close([mean, square], [0, 1], ROUNDING);
  }
});
