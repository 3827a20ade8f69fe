// What `helpers.vectors` wrote, and how numbers are held against it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** The test vectors. */
export const VECTORS = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8"));

/**
 * The average of values weighted by their positions: `helpers.vectors.average`.
 * @param {Iterable<number>} values
 */
export function average(values) {
  let [sum, position] = [0, 0];
  for (const value of values) sum += ++position * value;
  return sum / ((position * (position + 1)) / 2);
}

/**
 * Assert that numbers are as expected, to a tolerance relative to those above 1.
 * @param {ArrayLike<number>} found
 * @param {ArrayLike<number>} expected
 * @param {number} tolerance
 */
export function close(found, expected, tolerance) {
  assert.equal(found.length, expected.length);
  for (let k = 0; k < expected.length; k++) {
    const error = Math.abs(found[k] - expected[k]) / Math.max(1, Math.abs(expected[k]));
    assert.ok(error <= tolerance, `number ${k} is ${found[k]}; expected ${expected[k]}`);
  }
}
