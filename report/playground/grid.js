// The plane as a grid of points in square blocks, and pictures painted on it.

import { plane } from "./problems.js";

/** @typedef {Uint8ClampedArray<ArrayBuffer>} Picture four bytes a pixel, the first row on top */

/**
 * A grid whose points follow each other block by block: a node that is silent in a part of the
 * plane then costs nothing there (see `propagate`).
 */
export class Grid {
  /**
   * @param {number} half half-width of the plane
   * @param {number} side points along either side
   * @param {number} block points along either side of a block; divides `side`
   */
  constructor(half, side, block) {
    this.count = side * side; // not side ** 2, which V8 keeps as a fraction: slow as a size
    this.order = inBlocks(side, block); // places, row by row from the lower left
    this.pixels = this.order.map((place) => {
      const row = side - 1 - Math.trunc(place / side);
      return 4 * (row * side + (place % side));
    });
    const x = plane(half, side);
    this.x = Float32Array.from(x, (_, k) => {
      return k < this.count ? x[this.order[k]] : x[this.count + this.order[k - this.count]];
    });
  }

  /**
   * Paint every point.
   * @param {(point: number) => number} colour packed red, green, blue (`packed`)
   * @returns {Picture}
   */
  paint(colour) {
    const image = new Uint8ClampedArray(4 * this.count);
    const view = new DataView(image.buffer);
    for (let point = 0; point < this.count; point++) {
      view.setUint32(this.pixels[point], colour(point));
    }
    return image;
  }
}

/**
 * Red, green and blue from 0 to 255 as one number, opaque.
 * @param {number[]} colour
 */
export function packed([red, green, blue]) {
  return ((red << 24) | (green << 16) | (blue << 8) | 255) >>> 0;
}

/**
 * The places of all points, row by row within blocks, blocks row by row.
 * @param {number} side @param {number} block
 */
function inBlocks(side, block) {
  const blocks = side / block;
  return Uint32Array.from({ length: side * side }, (_, k) => {
    const [which, within] = [Math.trunc(k / block / block), k % (block * block)];
    const row = Math.trunc(which / blocks) * block + Math.trunc(within / block);
    return row * side + (which % blocks) * block + (within % block);
  });
}
