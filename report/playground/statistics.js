// Small sums over lists of numbers, in double precision.

/**
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
export function dot(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

/**
 * The Euclidean norm.
 * @param {ArrayLike<number>} values
 */
export function norm(values) {
  return Math.sqrt(dot(values, values));
}

/**
 * Mean and standard deviation (ddof = 0).
 * @param {Float32Array} values
 */
export function moments(values) {
  let [sum, squares] = [0, 0];
  for (let k = 0; k < values.length; k++) sum += values[k];
  const mean = sum / values.length;
  for (let k = 0; k < values.length; k++) squares += (values[k] - mean) * (values[k] - mean);
  return { mean, deviation: Math.sqrt(squares / values.length) };
}
