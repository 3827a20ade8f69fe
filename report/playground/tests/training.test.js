// Twenty steps of every optimiser against PyTorch's: losses, parameters, outputs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { coastingDistance } from "../movement.js";
import { initialise, logitsAt } from "../network.js";
import { PROBLEMS, plane } from "../problems.js";
import { OPTIMISERS, power, Training } from "../training.js";
import { recipeOf } from "./networks.js";
import { average, close, VECTORS } from "./vectors.js";

const TOLERANCE = 1e-5;
const spirals = PROBLEMS.spirals(0.02, 0);

/** @param {any} stored */
function trained({ widths, seed, optimiser, learning_rate, batch_size, steps }) {
  const recipe = recipeOf({ optimiser, learningRate: learning_rate, batchSize: batch_size, steps });
  const training = new Training(initialise(widths, seed), spirals.train, recipe, seed);
  while (training.step < steps) training.advance();
  return training;
}

for (const stored of VECTORS.training) {
  const { widths, optimiser, batch_size } = stored;
  test(`${optimiser} on ${widths.join("-")}, batches of ${batch_size ?? "all"}`, () => {
    const { network, losses } = trained(stored);
    close(losses, stored.losses, TOLERANCE);
    const parameters = [...network.weights, ...network.biases];
    close(parameters.map(average), stored.averages, TOLERANCE);
    const logits = logitsAt(network, plane(spirals.half, 4), 16);
    close(logits, stored.logits, TOLERANCE);
  });
}

test("training leaves its start as it was", () => {
  const start = initialise([2, 5, 4, 1], 0);
  const before = structuredClone(start);
  const training = new Training(start, spirals.train, recipeOf({}), 0);
  training.advance();
  assert.deepEqual(start, before);
  assert.notDeepEqual(training.network, before);
});

test("the same seed gives the same bits, another batch order others", () => {
  const ends = [0, 0, 1].map((order) => {
    const training = new Training(initialise([2, 9, 1], 0), spirals.train, recipeOf({}), order);
    for (let k = 0; k < 30; k++) training.advance();
    return training.network;
  });
  assert.deepEqual(ends[0], ends[1]);
  assert.notDeepEqual(ends[0], ends[2]);
});

test("Adam's running means are never subnormal", () => {
  const { means } = trained({ ...VECTORS.training[0], steps: 1000 });
  const values = means.flatMap(({ first, second }) => [...first, ...second]);
  assert.ok(values.every((value) => value === 0 || Math.abs(value) >= 2 ** -126));
});

test("running means drop what is subnormal, and no more", () => {
  const least = 2 ** -126;
  const gradient = Float32Array.of(least, -least, least / 2, -least / 2, 2 ** -63, 2 ** -64);
  const meansOf = (/** @type {string} */ optimiser) => {
    const means = { first: new Float32Array(6), second: new Float32Array(6) };
    OPTIMISERS[optimiser](new Float32Array(6), gradient, means, recipeOf({ betas: [0, 0] }), 1);
    return [[...means.first], [...means.second]];
  };
  const first = [least, -least, 0, 0, 2 ** -63, 2 ** -64];
  assert.deepEqual(meansOf("adam"), [first, [0, 0, 0, 0, least, 0]]);
  assert.deepEqual(meansOf("momentum")[0], first);
});

test("the coasting distance is that of Python", () => {
  for (const { betas, steps, drift } of VECTORS.coasting) {
    const distance = coastingDistance(recipeOf({ learningRate: 0.2, betas, steps }));
    close([distance ?? NaN], [0.2 * drift], 1e-12);
  }
  assert.equal(coastingDistance(recipeOf({ optimiser: "sgd" })), null);
});

test("whole powers", () => {
  close(
    [0, 1, 2, 7, 1500].map((n) => power(0.999, n)),
    [0, 1, 2, 7, 1500].map((n) => 0.999 ** n),
    1e-13,
  );
});
