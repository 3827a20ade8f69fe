// Least squares by singular values: one-sided Jacobi rotations, accurate for small ones as well.

import { dot } from "./statistics.js";

const COLLINEAR = 1e-6; // singular values below this share of the largest are rounding of the inputs
const ORTHOGONAL = 1e-15; // cosine of two columns that need no further turning
const SWEEPS = 60;

/**
 * The smallest coefficients that predict some columns best from others.
 * @param {Float64Array[]} from columns, changed in place
 * @param {Float64Array[]} to columns as long
 * @returns {number[][]} coefficients[from][to]
 */
export function leastSquares(from, to) {
  const turned = from.map((_, k) => Float64Array.from(from, (_, i) => (i === k ? 1 : 0)));
  orthogonalise(from, turned);
  const squares = from.map((column) => dot(column, column));
  const least = COLLINEAR ** 2 * Math.max(...squares);
  const used = [...from.keys()].filter((k) => squares[k] > least);
  const shares = to.map((column) => used.map((k) => dot(from[k], column) / squares[k]));
  return from.map((_, i) =>
    shares.map((share) => share.reduce((sum, value, k) => sum + turned[used[k]][i] * value, 0)),
  );
}

/**
 * Turn pairs of columns until all are orthogonal, and those of `turned` along.
 * @param {Float64Array[]} columns @param {Float64Array[]} turned
 */
function orthogonalise(columns, turned) {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let done = true;
    for (let i = 1; i < columns.length; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [columns[i], columns[j]];
        const [alpha, beta, gamma] = [dot(a, a), dot(b, b), dot(a, b)];
        if (Math.abs(gamma) <= ORTHOGONAL * Math.sqrt(alpha * beta)) continue;
        done = false;
        const zeta = (beta - alpha) / (2 * gamma);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        turn(a, b, tangent);
        turn(turned[i], turned[j], tangent);
      }
    }
    if (done) return;
  }
}

/** @param {Float64Array} a @param {Float64Array} b @param {number} tangent */
function turn(a, b, tangent) {
  const cosine = 1 / Math.sqrt(1 + tangent * tangent);
  const sine = cosine * tangent;
  for (let k = 0; k < a.length; k++) {
    const first = a[k];
    a[k] = cosine * first - sine * b[k];
    b[k] = sine * first + cosine * b[k];
  }
}
