// The parts of the arithmetic alone, against plain ways to the same numbers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { leastSquares } from "../fitting.js";
import {
  classesOf,
  disagreement,
  exp,
  lossGradient,
  meanLoss,
  toProbabilities,
} from "../losses.js";
import { matrix, multiply, transposed } from "../matrices.js";
import {
  backpropagate,
  copied,
  diverged,
  initialise,
  logitsAt,
  outputsAt,
  room,
} from "../network.js";
import { Stream } from "../random.js";
import { dot, moments, norm } from "../statistics.js";
import { close } from "./vectors.js";

const stream = new Stream(1, "random pruning");

/** @param {number} length */
function drawn(length) {
  return Float32Array.from({ length }, () => stream.uniform(-2, 2));
}

for (const [rows, inner, columns] of [
  [8, 5, 8],
  [7, 9, 6],
  [1, 4, 13],
  [13, 1, 3],
  [4, 3, 1],
]) {
  test(`a product of (${rows}, ${inner}) and (${inner}, ${columns})`, () => {
    const [a, b, bias] = [drawn(rows * inner), drawn(inner * columns), drawn(rows)];
    const expected = Float32Array.from({ length: rows * columns }, (_, k) => {
      const [i, j] = [Math.trunc(k / columns), k % columns];
      return Array.from({ length: inner }).reduce(
        (/** @type {number} */ sum, _, m) => sum + a[i * inner + m] * b[m * columns + j],
        bias[i],
      );
    });
    const out = new Float32Array(rows * columns);
    multiply(matrix(a, inner), matrix(b, columns), bias, out, rows, inner, columns);
    close(out, expected, 1e-7);
    const turned = new Float32Array(rows * columns); // (a b)' = b' a'
    multiply(
      transposed(matrix(b, columns)),
      transposed(matrix(a, inner)),
      null,
      turned,
      columns,
      inner,
      rows,
    );
    const plain = expected.map((value, k) => value - bias[Math.trunc(k / columns)]);
    close(
      turned,
      plain.map((_, k) => plain[(k % rows) * columns + Math.trunc(k / rows)]),
      1e-6,
    );
  });
}

test("the exponential is the machine's, to its last digits", () => {
  for (let x = -60; x <= 60; x += 0.0373)
    assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 4e-16, `${x}`);
  for (let x = -700; x <= 709; x += 0.5)
    assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 4e-16, `${x}`);
  assert.deepEqual([0, -1000, 1000, -Infinity, Infinity].map(exp), [1, 0, Infinity, 0, Infinity]);
  assert.ok(Number.isNaN(exp(NaN)));
});

test("two logits give the probabilities of their difference", () => {
  const [zero, logits] = [new Float32Array(9), drawn(9)];
  const two = toProbabilities(Float32Array.from([...zero, ...logits]), 9);
  close(two.subarray(9), toProbabilities(logits.slice(), 9), 1e-6);
  const both = Float32Array.from([...zero, ...logits]);
  assert.deepEqual(classesOf(both, 9), classesOf(logits, 9));
});

test("the loss keeps its digits where the answer is sure", () => {
  const sure = Float32Array.of(40);
  close([meanLoss(sure, Uint8Array.of(1)) / Math.exp(-40)], [1], 1e-12);
  close([meanLoss(sure, Uint8Array.of(0))], [40], 1e-12);
  const of3 = Float32Array.of(40, 0, 0);
  close([meanLoss(of3, Uint8Array.of(0)) / (2 * Math.exp(-40))], [1], 1e-12);
});

test("the largest of several logits decides, the first of equal ones", () => {
  const logits = [
    [1, 0, 0, 3, 1],
    [0, 2, 1, 3, 2],
    [-1, 1, 2, 1, 2],
  ];
  assert.deepEqual([...classesOf(Float32Array.from(logits.flat()), 5)], [0, 1, 2, 0, 1]);
  assert.deepEqual([...classesOf(Float32Array.of(-0.1, 0, 0.1), 3)], [0, 0, 1]);
});

test("what is added to all logits changes nothing, however large it is", () => {
  const [near, far] = [0, 1000].map((shift) => Float32Array.of(1 + shift, shift, shift - 9));
  for (const y of [0, 1, 2].map((label) => Uint8Array.of(label)))
    close([meanLoss(far, y)], [meanLoss(near, y)], 1e-12);
  close(toProbabilities(far, 1), toProbabilities(near, 1), 1e-7);
});

test("many points, taken in tiles, have the same logits as when taken at once", () => {
  const network = initialise([2, 5, 3], 0);
  const x = drawn(2 * 230);
  assert.deepEqual(logitsAt(network, x, 230), outputsAt(network, x, 230)[2]);
});

test("one weight or bias that is not finite makes a network diverged", () => {
  const network = initialise([2, 3, 1], 0);
  assert.ok(!diverged(network));
  for (const part of ["weights", "biases"]) {
    for (const value of [NaN, Infinity, -Infinity]) {
      const other = copied(network);
      other[part][0][1] = value;
      assert.ok(diverged(other), `${value} among ${part}`);
    }
  }
});

for (const widths of [
  [2, 5, 4, 1],
  [2, 6, 3],
  [3, 4, 4, 4, 2],
]) {
  test(`the gradient of ${widths.join("-")} is that of its loss`, () => {
    const network = initialise(widths, 0);
    network.biases.forEach((bias) => bias.set(drawn(bias.length)));
    const [x, y] = [drawn(widths[0] * 6), Uint8Array.of(0, 1, 1, 0, 1, 0)];
    const outputs = outputsAt(network, x, 6);
    const [errors, gradient] = [room(widths, 6), initialise(widths, 0)];
    lossGradient(outputs[outputs.length - 1], y, errors[errors.length - 1]);
    backpropagate(network, outputs, errors, 6, gradient);
    const lossAt = () => 6 * meanLoss(logitsAt(network, x, 6), y);
    /** @param {Float32Array} values */
    const slopes = (values) =>
      values.map((value, k) => {
        const [up, down] = [2 ** -8, -(2 ** -8)].map((step) => {
          values[k] = value + step;
          return lossAt();
        });
        values[k] = value;
        return (up - down) / 2 ** -7;
      });
    network.weights.forEach((weight, k) => close(gradient.weights[k], slopes(weight), 2e-3));
    network.biases.forEach((bias, k) => close(gradient.biases[k], slopes(bias), 2e-3));
  });
}

test("least squares leaves a rest that no column has a share in", () => {
  const from = [0, 1, 2].map(() => Float64Array.from(drawn(20)));
  const [copy, to] = [from.map((column) => column.slice()), [Float64Array.from(drawn(20))]];
  const slope = leastSquares(copy, to);
  const rest = to[0].map(
    (value, k) =>
      value -
      dot(
        from.map((c) => c[k]),
        slope.map(([s]) => s),
      ),
  );
  close(
    from.map((column) => dot(column, rest)),
    [0, 0, 0],
    1e-12,
  );
});

test("of equal columns each takes half, a column of zeros takes nothing", () => {
  const column = Float64Array.from(drawn(20));
  for (const zeros of [0, 1, 2]) {
    const from = [column.slice(), column.slice()].toSpliced(zeros, 0, new Float64Array(20));
    const slope = leastSquares(from, [column.map((value) => 3 * value)]);
    close(slope.flat(), [1.5, 1.5].toSpliced(zeros, 0, 0), 1e-12);
  }
});

test("columns that are equal but for their rounding count as equal, others do not", () => {
  const [column, other] = [drawn(20), drawn(20)].map((values) => Float64Array.from(values));
  const slopes = (/** @type {number} */ share) => {
    const near = column.map((value, k) => value + share * other[k]);
    return leastSquares([column.slice(), near], [other]).flat();
  };
  close(slopes(1e-4), [-1e4, 1e4], 1e-7);
  assert.ok(slopes(1e-8).every((slope) => Math.abs(slope) < 10));
});

test("moments, norm, disagreement", () => {
  const { mean, deviation } = moments(Float32Array.of(1, 2, 3, 6));
  close([mean, deviation, norm([3, 4])], [3, Math.sqrt(3.5), 5], 1e-12);
  assert.equal(disagreement(Uint8Array.of(0, 1, 1, 0), Uint8Array.of(0, 1, 0, 1)), 0.5);
});
