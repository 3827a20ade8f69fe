// Pictures: the colours of the study's figures, every point in its place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { classColours, CORNERS, MOVEMENTS } from "../colours.js";
import { differenceImage, mapImage, nodeImage } from "../draw.js";
import { Grid, packed } from "../grid.js";
import { plane } from "../problems.js";
import { close, VECTORS } from "./vectors.js";

const { corners, movements, classes, difference, chances, painted } = VECTORS.colours;

/** The colour of one pixel, counted from the upper left. @param {Uint8ClampedArray} image @param {number} pixel */
function at(image, pixel) {
  return [...image.subarray(4 * pixel, 4 * pixel + 4)];
}

/** @param {string} colour */
function bytes(colour) {
  return [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
}

test("corners, movements and classes have the colours of the figures", () => {
  const { dense, "train first (A)": A, "prune first (B)": B, "noise floor": floor } = corners;
  assert.deepEqual(CORNERS, { dense, A, B, floor });
  assert.deepEqual(
    Object.fromEntries(MOVEMENTS.map(({ name, colour }) => [name, colour])),
    movements,
  );
  assert.deepEqual(classColours(2), classes);
});

test("a map has the colours of the figures' maps", () => {
  const grid = new Grid(1, 4, 1);
  const image = mapImage(Float32Array.of(...chances, 0, 0, 0, 0, 0), grid);
  chances.forEach((/** @type {number} */ _, /** @type {number} */ k) => {
    const [red, green, blue, opaque] = at(image, 4 * (3 - Math.trunc(k / 4)) + (k % 4));
    for (const [c, value] of [red, green, blue].entries()) {
      assert.ok(Math.abs(value - painted[k][c]) <= 2, `${value} for ${painted[k][c]}`);
    }
    assert.equal(opaque, 255);
  });
});

test("the map's scale is that of ColorBrewer, pale", () => {
  const grid = new Grid(1, 2, 1);
  const image = mapImage(Float32Array.of(0.2, 0.6, 0.7, 0.9), grid); // as yet untried
  const scale = [
    [153, 112, 171],
    [217, 240, 211],
    [166, 219, 160],
    [27, 120, 55],
  ];
  [2, 3, 0, 1].forEach((pixel, k) => {
    for (const [c, value] of scale[k].entries()) {
      assert.ok(Math.abs(at(image, pixel)[c] - (255 + 0.6 * (value - 255))) <= 2, `${scale[k]}`);
    }
  });
});

test("two logits have the colours of one", () => {
  const grid = new Grid(1, 2, 1);
  const [of0, of1] = [
    [1, 0.7, 0.4, 0],
    [0, 0.3, 0.6, 1],
  ];
  const [one, two] = [of1, [...of0, ...of1]].map((chances) => Float32Array.from(chances));
  assert.deepEqual(mapImage(two, grid), mapImage(one, grid));
});

test("the certain point of one of three classes has its colour, more than half as strong", () => {
  const grid = new Grid(1, 2, 1);
  for (const own of [0, 1, 2]) {
    const chances = Float32Array.from({ length: 12 }, (_, k) => +(Math.trunc(k / 4) === own));
    const expected = bytes(classColours(3)[own]).map((value) => 255 + 0.6 * (value - 255));
    close(at(mapImage(chances, grid), 0).slice(0, 3), expected.map(Math.trunc), 0.02);
  }
});

test("points of a difference stand out, wherever blocks have put them", () => {
  const grid = new Grid(1, 6, 3);
  const b = new Uint8Array(36);
  const corner = grid.order.indexOf(5); // the lower right one
  b[corner] = 1;
  const image = differenceImage(new Uint8Array(36), b, grid);
  const red = [...Array(36).keys()].filter(
    (k) => `${at(image, k).slice(0, 3)}` === `${bytes(difference[1])}`,
  );
  assert.deepEqual(red, [35]);
  assert.deepEqual(at(image, 0), [...bytes(difference[0]), 255]);
});

test("a grid holds the points of the plane, each once, neighbours together", () => {
  const grid = new Grid(2, 6, 3);
  assert.deepEqual(
    [...grid.order].sort((a, b) => a - b),
    [...Array(36).keys()],
  );
  assert.deepEqual([...grid.order.subarray(0, 9)], [0, 1, 2, 6, 7, 8, 12, 13, 14]);
  const x = plane(2, 6);
  grid.order.forEach((place, k) => {
    assert.deepEqual([grid.x[k], grid.x[36 + k]], [x[place], x[36 + place]]);
  });
});

test("a node is darkest where its output is largest, a dead one is white", () => {
  const grid = new Grid(1, 2, 1);
  const image = nodeImage(Float32Array.of(0, 1, 2, 4), grid);
  assert.deepEqual([at(image, 2)[0], at(image, 1)[0]], [255, 0x22]);
  assert.ok(at(nodeImage(new Float32Array(4), grid), 0).every((value) => value === 255));
});

test("a node of a diverged network is painted where its output is finite", () => {
  const image = nodeImage(Float32Array.of(NaN, 4, Infinity, 0), new Grid(1, 2, 1));
  const shades = [0, 1, 2, 3].map((pixel) => at(image, pixel)[0]);
  assert.deepEqual(shades, [0x22, 255, 255, 0x22]); // infinity as dark as the largest
  assert.ok([0, 1, 2, 3].every((pixel) => at(image, pixel)[3] === 255));
});

test("diverged networks give a picture all the same: class 0, nodes that give nothing", () => {
  const grid = new Grid(1, 2, 1);
  const [lost, zeros] = [new Float32Array(4).fill(NaN), new Float32Array(4)];
  assert.deepEqual(mapImage(lost, grid), mapImage(zeros, grid));
  assert.deepEqual(nodeImage(lost, grid), nodeImage(zeros, grid));
});

test("colours are packed from red to blue", () => {
  assert.deepEqual([packed([1, 2, 3]), packed([255, 0, 254])], [0x010203ff, 0xff00feff]);
});
