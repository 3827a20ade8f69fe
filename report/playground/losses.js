// From logits to probabilities, classes, the loss (cross-entropy, in nats) and its gradient.
// One logit decides between two classes, several give one class each.

/** 2 to the power of k at place k + 1100. */
const POWERS = Float64Array.from({ length: 2200 }, (_, k) => 2 ** (k - 1100));
const LN2_HIGH = 6.9314718036912381649e-1; // ln 2 in two parts: k * LN2_HIGH is exact
const LN2_LOW = 1.90821492927058770002e-10;
/** Coefficients of r coth(r) - 1 in r^2 (as in the public fdlibm). */
const SERIES = [
  1.66666666666666019037e-1, -2.77777777770155933842e-3, 6.61375632143793436117e-5,
  -1.6533902205465251539e-6, 4.13813679705723846039e-8,
];

/**
 * The exponential, the same to the last bit in every browser: Math.exp is not, and training would
 * make another picture of the least difference.
 * @param {number} x
 */
export function exp(x) {
  if (x > 709) return Infinity;
  if (x < -700) return 0;
  const k = Math.round(x / Math.LN2);
  const [high, low] = [x - k * LN2_HIGH, k * LN2_LOW];
  const r = high - low;
  const t = r * r;
  const even = SERIES.reduceRight((sum, coefficient) => t * (coefficient + sum), 0);
  const c = r - even;
  return POWERS[k + 1100] * (1 - (low - (r * c) / (2 - c) - high));
}

/**
 * Write the probabilities of all classes over logits of several classes; of class 1 for one logit.
 * @param {Float32Array} logits (logits, points), changed in place
 * @param {number} count points
 * @returns {Float32Array} the same memory
 */
export function toProbabilities(logits, count) {
  if (logits.length === count) {
    for (let k = 0; k < count; k++) logits[k] = 1 / (1 + exp(-logits[k]));
    return logits;
  }
  for (let point = 0; point < count; point++) {
    let [most, sum] = [-Infinity, 0];
    for (let k = point; k < logits.length; k += count) most = Math.max(most, logits[k]);
    for (let k = point; k < logits.length; k += count) sum += logits[k] = exp(logits[k] - most);
    for (let k = point; k < logits.length; k += count) logits[k] /= sum;
  }
  return logits;
}

/**
 * The class of every point.
 * @param {Float32Array} logits (logits, points), or probabilities of several classes
 * @param {number} count points
 */
export function classesOf(logits, count) {
  const classes = new Uint8Array(count);
  for (let point = 0; point < count; point++) {
    if (logits.length === count) classes[point] = logits[point] > 0 ? 1 : 0;
    for (let k = 1; k * count < logits.length; k++) {
      const best = logits[classes[point] * count + point];
      if (logits[k * count + point] > best) classes[point] = k;
    }
  }
  return classes;
}

/**
 * Share of places at which two lists of classes differ.
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
export function disagreement(a, b) {
  let different = 0;
  for (let k = 0; k < a.length; k++) different += a[k] === b[k] ? 0 : 1;
  return different / a.length;
}

/**
 * Write the gradient of the summed loss in the logits: probabilities minus what they should be.
 * @param {Float32Array} logits (logits, points)
 * @param {Uint8Array} y
 * @param {Float32Array} out
 */
export function lossGradient(logits, y, out) {
  out.set(logits);
  toProbabilities(out, y.length);
  for (let point = 0; point < y.length; point++) {
    if (logits.length === y.length) out[point] -= y[point];
    else out[y[point] * y.length + point] -= 1;
  }
}

/**
 * The mean loss over points, as softplus of minus the margin: no digit is lost at large margins.
 * @param {Float32Array} logits (logits, points)
 * @param {Uint8Array} y
 */
export function meanLoss(logits, y) {
  let sum = 0;
  for (let point = 0; point < y.length; point++) sum += softplus(-margin(logits, y, point));
  return sum / y.length;
}

/** @param {number} x */
function softplus(x) {
  return Math.max(x, 0) + Math.log1p(exp(-Math.abs(x)));
}

/**
 * The signed logit, or the true logit minus the log-sum-exp of the others.
 * @param {Float32Array} logits @param {Uint8Array} y @param {number} point
 */
function margin(logits, y, point) {
  const count = y.length;
  if (logits.length === count) return y[point] ? logits[point] : -logits[point];
  let [most, sum] = [-Infinity, 0];
  const others = [];
  for (let k = 0; k * count < logits.length; k++) {
    if (k !== y[point]) others.push(logits[k * count + point]);
  }
  for (const logit of others) most = Math.max(most, logit);
  for (const logit of others) sum += exp(logit - most);
  return logits[y[point] * count + point] - most - Math.log(sum);
}
