// Small squares on the spirals, for tests of what is made of them.

import { initialise } from "../network.js";
import { PROBLEMS } from "../problems.js";
import { LiveSquare } from "../square.js";
import { recipeOf } from "./networks.js";

export const problem = PROBLEMS.spirals(0.02, 0);

/** @param {number[]} widths @param {Partial<import("../training.js").Recipe>} recipe */
export function beginningOf(widths, recipe = {}, seed = 0, start = initialise(widths, seed)) {
  return {
    ...{ problem, initial: start, recipe: recipeOf(recipe), seed },
    ...{ compensation: "mean", ends: null },
  };
}

/** @param {number[]} widths @param {Partial<import("../training.js").Recipe>} recipe */
export function squareOf(widths, recipe = {}, seed = 0, start = initialise(widths, seed)) {
  return new LiveSquare(beginningOf(widths, recipe, seed, start));
}

/** @param {LiveSquare} square @param {number} steps */
export function advance(square, steps) {
  while (square.step < steps || square.behind < square.step) square.advance();
  while (square.unrecorded) square.record();
}
