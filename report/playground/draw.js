// Numbers over the plane as pictures, in the colours of the study's figures.

import { classColours } from "./colours.js";
import { packed } from "./grid.js";

/** @typedef {import("./grid.js").Grid} Grid */

/** The scale PRGn (ColorBrewer), from class 0 to class 1. */
const SCALE = [
  ...["#40004B", "#762A83", "#9970AB", "#C2A5CF", "#E7D4E8", "#F7F7F7"],
  ...["#D9F0D3", "#A6DBA0", "#5AAE61", "#1B7837", "#00441B"],
].map(bytes);
const ALPHA = 0.6; // of the colours on white
const WHITE = [255, 255, 255];
const [ALIKE, DIFFERENT] = ["#F2F2F2", "#CC3311"].map((colour) => packed(bytes(colour)));

const CHANCES = shades((share) => {
  const place = share * (SCALE.length - 1);
  const low = Math.min(Math.trunc(place), SCALE.length - 2);
  return between(WHITE, between(SCALE[low], SCALE[low + 1], place - low), ALPHA);
});
const GREYS = shades((share) => between(WHITE, bytes("#222222"), share));

/**
 * The picture of a decision map.
 * @param {Float32Array} chances probability of class 1, or (classes, points)
 * @param {Grid} grid
 */
export function mapImage(chances, grid) {
  const classes = chances.length / grid.count;
  const colours = classColours(classes).map(bytes);
  if (classes > 2) return grid.paint((point) => mixture(chances, colours, grid.count, point));
  const ofOne = chances.subarray((classes - 1) * grid.count);
  return grid.paint((point) => CHANCES[Math.round(255 * ofOne[point]) || 0]);
}

/**
 * The picture of where two networks give different classes.
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 * @param {Grid} grid
 */
export function differenceImage(a, b, grid) {
  return grid.paint((point) => (a[point] === b[point] ? ALIKE : DIFFERENT));
}

/**
 * The picture of one node's output, dark where it is largest.
 * @param {Float32Array} outputs of at least 0
 * @param {Grid} grid
 */
export function nodeImage(outputs, grid) {
  const most = outputs.reduce((a, b) => (Number.isFinite(b) ? Math.max(a, b) : a), 0) || 1;
  const shade = (/** @type {number} */ output) => Math.round(255 * Math.min(output / most, 1)) || 0;
  return grid.paint((point) => GREYS[shade(outputs[point])]);
}

/** @param {Float32Array} chances @param {number[][]} colours @param {number} count @param {number} point */
function mixture(chances, colours, count, point) {
  const mixed = [0, 0, 0];
  colours.forEach((colour, k) => {
    for (let c = 0; c < 3; c++) mixed[c] += chances[k * count + point] * colour[c];
  });
  return packed(between(WHITE, mixed, ALPHA));
}

/** @param {(share: number) => number[]} colour */
function shades(colour) {
  return Uint32Array.from({ length: 256 }, (_, k) => packed(colour(k / 255)));
}

/** @param {string} colour @returns {number[]} */
function bytes(colour) {
  return [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
}

/** @param {number[]} from @param {number[]} to @param {number} share */
function between(from, to, share) {
  return from.map((value, k) => value + share * (to[k] - value));
}
