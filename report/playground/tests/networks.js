// Networks and recipes as the test vectors hold them.

/**
 * @param {{widths: number[], weights: number[][], biases: number[][]}} stored
 * @returns {import("../network.js").Network}
 */
export function networkOf({ widths, weights, biases }) {
  const singles = (/** @type {number[]} */ values) => Float32Array.from(values);
  return { widths, weights: weights.map(singles), biases: biases.map(singles) };
}

/**
 * Adam as in the post, but for what is given.
 * @param {Partial<import("../training.js").Recipe>} given
 * @returns {import("../training.js").Recipe}
 */
export function recipeOf(given) {
  return {
    ...{ optimiser: "adam", learningRate: 0.1, batchSize: 32, steps: 1500 },
    ...{ betas: [0.9, 0.999], epsilon: 1e-7, momentum: 0.9 },
    ...given,
  };
}
