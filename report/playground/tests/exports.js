// Networks as the study exports them, small ones.

/** @param {ArrayBufferView} values */
export function base64({ buffer }) {
  return Buffer.from(buffer).toString("base64");
}

/** @param {number} count @param {number} first */
function numbers(count, first) {
  return Float32Array.from({ length: count }, (_, k) => first + k / 8);
}

/** @param {number[]} widths @param {number} first */
export function network(widths, first) {
  const layers = widths.slice(1);
  return {
    widths,
    weights: layers.map((width, k) => numbers(width * widths[k], first + k)),
    biases: layers.map((width, k) => numbers(width, -first - k)),
  };
}

/** @param {ReturnType<typeof network>} network */
export function encoded({ widths, weights, biases }) {
  return { widths: [...widths], weights: weights.map(base64), biases: biases.map(base64) };
}

export const TRAIN = { x: numbers(6, 1), y: Uint8Array.of(0, 1, 1), count: 3 };
export const HELD_OUT = { x: numbers(4, 2), y: Uint8Array.of(1, 0), count: 2 };
export const [INITIAL, DENSE] = [network([2, 3, 2, 1], 1), network([2, 3, 2, 1], 2)];
export const PRUNE_FIRST = network([2, 2, 1, 1], 3);

/** A sound export, made anew: every test may spoil its own. @returns {any} */
export function sound() {
  const points = (/** @type {typeof TRAIN} */ { x, y, count }) => ({
    x: base64(x),
    y: base64(y),
    count,
  });
  return {
    format: 1,
    title: "Three nodes",
    problem: {
      name: "moons",
      classes: 2,
      half: 2.5,
      train: points(TRAIN),
      held_out: points(HELD_OUT),
    },
    setting: {
      ...{ noise: null, data_seed: null, hidden: [3, 2], seed: 4, optimiser: "sign_sgd" },
      ...{ learning_rate: 0.5, batch_size: 8, steps: 0, betas: [0.9, 0.99], epsilon: 1e-7 },
      ...{ momentum: 0, criterion: null, fraction: null, compensation: "linear" },
    },
    kept: [[0, 2], [1]],
    initial: encoded(INITIAL),
    dense: encoded(DENSE),
    prune_first: encoded(PRUNE_FIRST),
  };
}
