// The problems of `helpers.data` in the plane: the same points in the same order.

import { Stream } from "./random.js";
import { Twister } from "./twister.js";

/** @typedef {import("./network.js").Points} Points */

/**
 * One draw of a problem, standardised by its training part; half: half the width of its plane.
 * @typedef {{name: string, classes: number, train: Points, heldOut: Points, half: number}} Problem
 */

/**
 * Points before they are standardised.
 * @typedef {{x: [Float64Array, Float64Array], y: Uint8Array}} Drawn
 */

/** @typedef {(points: number, noise: number, stream: Stream) => Drawn} Draw */

/** @typedef {(noise: number, seed: number, train?: number, heldOut?: number) => Problem} Make */

const MARGIN = 1.2; // the plane reaches beyond the training points by this factor
const TURNS = 1.5; // of a spiral's arm
const FACTOR = 0.5; // radius of the inner circle

/**
 * Each problem by name, as a function of its noise (standard deviation, before standardising), its
 * seed and the numbers of its points: `helpers.data.PROBLEMS`.
 * @type {Record<string, Make>}
 */
export const PROBLEMS = {
  spirals: (...wanted) => problem("spirals", spirals, ...wanted),
  moons: (...wanted) => problem("moons", moons, ...wanted),
  circles: (...wanted) => problem("circles", circles, ...wanted),
  xor: (...wanted) => problem("xor", xor, ...wanted),
};

/**
 * Half the width of the plane on which networks are compared: `helpers.compare.box`.
 * @param {{train: Points}} problem
 */
export function half({ train }) {
  return MARGIN * train.x.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
}

/**
 * The points of a square grid over the plane, row by row from the lower left: `helpers.compare.plane`.
 * @param {number} half
 * @param {number} resolution points along each side
 * @returns {Float32Array} feature-major, (2, resolution**2)
 */
export function plane(half, resolution) {
  const [high, last] = [Math.fround(half), resolution - 1];
  const step = Math.fround((2 * high) / last);
  const axis = Array.from({ length: resolution }, (_, k) =>
    2 * k < last ? step * k - high : high - step * (last - k),
  );
  const across = axis.flatMap(() => axis);
  const up = axis.flatMap((height) => axis.map(() => height));
  return Float32Array.from([...across, ...up]);
}

/**
 * @param {string} name
 * @param {Draw} draw
 * @param {number} noise
 * @param {number} seed
 * @returns {Problem}
 */
function problem(name, draw, noise, seed, train = 500, heldOut = 2000) {
  const drawn = draw(train, noise, new Stream(seed, "training points"));
  const other = draw(heldOut, noise, new Stream(seed, "held-out points"));
  const scales = drawn.x.map(moments);
  const points = { train: standardised(drawn, scales), heldOut: standardised(other, scales) };
  return { name, classes: 2, ...points, half: half(points) };
}

/** @type {Draw} */
function spirals(points, noise, stream) {
  const y = Uint8Array.from({ length: points }, (_, k) => k % 2);
  const radius = Float64Array.from(y, () => Math.sqrt(stream.double()));
  const angle = radius.map((length, k) => 2 * Math.PI * TURNS * length + Math.PI * y[k]);
  const x = radius.map((length, k) => length * Math.cos(angle[k]));
  const up = radius.map((length, k) => length * Math.sin(angle[k]));
  return noisy({ x: [x, up], y }, noise, stream);
}

/** @type {Draw} */
function xor(points, noise, stream) {
  const pairs = Array.from({ length: points }, () => [
    stream.uniform(-1, 1),
    stream.uniform(-1, 1),
  ]);
  const y = Uint8Array.from(pairs, ([x, up]) => Number(x > 0 !== up > 0));
  return noisy({ x: columns(pairs), y }, noise, stream);
}

/** @type {Draw} */
function moons(points, noise, stream) {
  const outer = Math.floor(points / 2);
  const inner = points - outer;
  /** @param {number} k */
  const place = (k) => {
    if (k < outer) return turned((Math.PI * k) / (outer - 1));
    const [x, up] = turned((Math.PI * (k - outer)) / (inner - 1));
    return [1 - x, 1 - up - 0.5];
  };
  return shuffled(points, outer, place, noise, stream);
}

/** @type {Draw} */
function circles(points, noise, stream) {
  const outer = Math.floor(points / 2);
  const inner = points - outer;
  /** @param {number} k */
  const place = (k) =>
    k < outer
      ? turned((2 * Math.PI * k) / outer)
      : turned((2 * Math.PI * (k - outer)) / inner).map((x) => FACTOR * x);
  return shuffled(points, outer, place, noise, stream);
}

/**
 * Points of an outer class, then of an inner one, in the order and with the noise of scikit-learn.
 * @param {number} points
 * @param {number} outer how many of them belong to class 0
 * @param {(k: number) => number[]} place
 * @param {number} noise
 * @param {Stream} stream
 * @returns {Drawn}
 */
function shuffled(points, outer, place, noise, stream) {
  const twister = new Twister(stream.below32(2 ** 32));
  const order = Array.from({ length: points }, (_, k) => k);
  twister.shuffle(order);
  const y = Uint8Array.from(order, (k) => Number(k >= outer));
  return noisy({ x: columns(order.map(place)), y }, noise, twister);
}

/** @param {number} angle */
function turned(angle) {
  return [Math.cos(angle), Math.sin(angle)];
}

/**
 * @param {number[][]} pairs
 * @returns {[Float64Array, Float64Array]}
 */
function columns(pairs) {
  return [Float64Array.from(pairs, (pair) => pair[0]), Float64Array.from(pairs, (pair) => pair[1])];
}

/**
 * @param {Drawn} drawn
 * @param {number} noise
 * @param {{normal: () => number}} source draws point by point, both features of each in turn
 * @returns {Drawn}
 */
function noisy({ x, y }, noise, source) {
  for (let k = 0; k < y.length; k++) {
    x[0][k] += noise * source.normal();
    x[1][k] += noise * source.normal();
  }
  return { x, y };
}

/**
 * @param {Float64Array} values
 * @returns {[number, number]} their mean and standard deviation (ddof = 0)
 */
function moments(values) {
  const mean = average(values);
  return [mean, Math.sqrt(average(values.map((value) => (value - mean) ** 2)))];
}

/** @param {Float64Array} values */
function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * @param {Drawn} drawn
 * @param {[number, number][]} scales mean and standard deviation of each feature
 * @returns {Points}
 */
function standardised({ x, y }, scales) {
  const scaled = x.map((values, k) => values.map((value) => (value - scales[k][0]) / scales[k][1]));
  return { x: Float32Array.from([...scaled[0], ...scaled[1]]), y, count: y.length };
}
