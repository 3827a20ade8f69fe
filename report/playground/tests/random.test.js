import assert from "node:assert/strict";
import { test } from "node:test";

import { initialise } from "../network.js";
import { PURPOSES, Stream } from "../random.js";
import { Twister } from "../twister.js";
import { average, close, VECTORS } from "./vectors.js";

const STREAMS = VECTORS.streams;
const ROUNDING = 1e-14; // of sums and of the ziggurat; all else is exact

/**
 * @template T
 * @param {number} count
 * @param {() => T} draw
 */
function repeated(count, draw) {
  return Array.from({ length: count }, draw);
}

for (const { seed, purpose, values } of STREAMS.doubles) {
  test(`numbers of seed ${seed} for ${purpose}`, () => {
    const stream = new Stream(seed, purpose);
    assert.deepEqual(
      repeated(values.length, () => stream.double()),
      values,
    );
  });
}

test("all purposes are tried", () => {
  assert.deepEqual(
    new Set(STREAMS.doubles.map((/** @type {any} */ s) => s.purpose)),
    new Set(PURPOSES),
  );
});

for (const { seed, values } of STREAMS.mixed) {
  test(`draws of every kind by turns, seed ${seed}`, () => {
    const stream = new Stream(seed, "random pruning");
    const found = [stream.float(), stream.double(), stream.float(), stream.below32(500)];
    found.push(stream.normal(), stream.uniform(-2, 3), stream.below32(500), stream.float());
    found.push(stream.below16(500), stream.double());
    close(found, values, ROUNDING);
  });
}

for (const { seed, first, average: expected, square, largest } of STREAMS.normals) {
  test(`normals of seed ${seed}, in the tail as well`, () => {
    const stream = new Stream(seed, "random pruning");
    const values = repeated(2000, () => stream.normal());
    const found = [average(values), average(values.map((x) => x * x))];
    close(values.slice(0, 4), first, ROUNDING);
    close([...found, Math.max(...values.map(Math.abs))], [expected, square, largest], ROUNDING);
  });
}

for (const { seed, bound, first, average: expected } of STREAMS.bounded) {
  test(`integers below ${bound} of seed ${seed}`, () => {
    const stream = new Stream(seed, "held-out points");
    const values = repeated(300, () => stream.below32(bound));
    assert.deepEqual(values.slice(0, 4), first);
    close([average(values)], [expected], ROUNDING);
  });
}

for (const { seed, batch_size: size, points, first, average: expected } of STREAMS.batch_orders) {
  test(`batches of ${size} of ${points} points, seed ${seed}`, () => {
    const stream = new Stream(seed, "batch order");
    const steps = repeated(1500, () => repeated(size, () => stream.below16(points)));
    assert.deepEqual(steps.slice(0, 3), first);
    close([average(steps.flat())], [expected], ROUNDING);
  });
}

for (const { seed, widths, first, averages } of STREAMS.initial_weights) {
  test(`initial weights of ${widths.join("-")}, seed ${seed}`, () => {
    const { weights } = initialise(widths, seed);
    assert.deepEqual(
      weights.map((weight) => [...weight.slice(0, 6)]),
      first.map((/** @type {number[]} */ values) => values.map(Math.fround)),
    );
    close(weights.map(average), averages, ROUNDING);
  });
}

for (const { seed, widths, scores } of STREAMS.random_scores) {
  test(`random scores of the nodes, seed ${seed}`, () => {
    const stream = new Stream(seed, "random pruning");
    const found = widths.map((/** @type {number} */ width) =>
      repeated(width, () => stream.double()),
    );
    assert.deepEqual(found, scores);
  });
}

for (const { seed, order, average: expected, values } of STREAMS.twister) {
  test(`the Mersenne Twister of seed ${seed}`, () => {
    const twister = new Twister(seed);
    const found = repeated(1000, () => 0).map((_, k) => k);
    twister.shuffle(found);
    assert.deepEqual(found.slice(0, 8), order);
    close([average(found)], [expected], ROUNDING);
    const drawn = [twister.normal(), twister.double(), twister.normal(), twister.normal()];
    close(drawn, values, ROUNDING);
  });
}

test("a stream always starts afresh", () => {
  assert.equal(new Stream(3, "batch order").double(), new Stream(3, "batch order").double());
});

for (const seed of [-1, 0.5, 2 ** 53, NaN]) {
  test(`seed ${seed} is refused`, () => {
    assert.throws(() => new Stream(seed, "batch order"), new RegExp(`seed is ${seed}; expected`));
  });
}

test("an unknown purpose is refused", () => {
  assert.throws(() => new Stream(0, "lottery"), /purpose is "lottery"; expected .*batch order/);
});
