// The random numbers of `helpers.streams`: NumPy's, from Philox4x64-10 (Salmon et al., SC 2011).

/** What numbers are drawn for; the position is part of the key. */
export const PURPOSES = [
  "initial weights",
  "batch order",
  "random pruning",
  "training points",
  "held-out points",
];

const ROUNDS = 10;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const INCREMENTS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];

const LAYERS = 256; // of the ziggurat under exp(-x²/2) (Marsaglia and Tsang 2000)
const TAIL = 3.6541528853610088; // where its lowest layer ends
const AREA = 0.004928673233974655; // of each layer
const EDGES = edges();
const HEIGHTS = EDGES.map(density);
const WIDTHS = [AREA / density(TAIL), ...EDGES.slice(1)]; // the lowest: as if it had no tail

/** Random numbers of one seed and purpose, always from their start; no draw shifts another. */
export class Stream {
  #key;
  #counter = 0n;
  #words = new BigUint64Array(4);
  #halves = new Uint32Array(this.#words.buffer); // lower half first
  #place = 4;
  #upper32 = -1; // the half and the quarter of a word that wait for the next draw; -1: none
  #upper16 = -1;

  /**
   * @param {number} seed integer from 0 below 2**53
   * @param {string} purpose one of PURPOSES
   */
  constructor(seed, purpose) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`seed is ${seed}; expected an integer from 0 below 2**53`);
    }
    if (!PURPOSES.includes(purpose)) {
      throw new RangeError(`purpose is "${purpose}"; expected one of ${PURPOSES.join(", ")}`);
    }
    this.#key = [BigInt(seed), BigInt(PURPOSES.indexOf(purpose))];
  }

  /** Draw uniformly from [0, 1) in steps of 2**-53: `random()`. */
  double() {
    const [low, high] = this.#word();
    return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
  }

  /** Draw uniformly from [0, 1) in steps of 2**-24: `random(dtype=float32)`. */
  float() {
    return (this.#half() >>> 8) / 2 ** 24;
  }

  /**
   * Draw uniformly between two numbers: `uniform(low, high)`.
   * @param {number} low
   * @param {number} high
   */
  uniform(low, high) {
    return low + (high - low) * this.double();
  }

  /**
   * Draw an integer from 0 below a bound without bias (Lemire 2019). Successive draws equal one
   * call of `integers(bound, size=..., dtype=uint16)`.
   * @param {number} bound from 2 to 2**16
   */
  below16(bound) {
    for (;;) {
      const product = this.#quarter() * bound;
      if (product % 2 ** 16 >= 2 ** 16 % bound) return Math.floor(product / 2 ** 16);
    }
  }

  /**
   * Draw an integer from 0 below a bound without bias: `integers(bound)`, also as uint32.
   * @param {number} bound from 2 to 2**32
   */
  below32(bound) {
    for (;;) {
      const product = BigInt(this.#half()) * BigInt(bound);
      if (product % 2n ** 32n >= 2 ** 32 % bound) return Number(product >> 32n);
    }
  }

  /** Draw from the standard normal distribution by the ziggurat: `standard_normal()`. */
  normal() {
    for (;;) {
      const [low, high] = this.#word();
      const layer = low & 0xff;
      const x = ((high & 0x1fffffff) * 2 ** 23 + (low >>> 9)) * (WIDTHS[layer] / 2 ** 52);
      if (layer === 0) {
        if (x < TAIL) return low & 0x100 ? -x : x;
        const far = this.#tail();
        return low & 0x20000 ? -far : far;
      }
      if (x < EDGES[layer - 1] || this.#height(layer) < density(x)) return low & 0x100 ? -x : x;
    }
  }

  /** @returns {number} a number beyond TAIL (Marsaglia 1964) */
  #tail() {
    for (;;) {
      const beyond = -Math.log1p(-this.double()) / TAIL;
      if (-2 * Math.log1p(-this.double()) > beyond * beyond) return TAIL + beyond;
    }
  }

  /** @param {number} layer */
  #height(layer) {
    return (HEIGHTS[layer - 1] - HEIGHTS[layer]) * this.double() + HEIGHTS[layer];
  }

  /** @returns {[number, number]} the lower and upper half of the next 64 bits */
  #word() {
    if (this.#place === 4) {
      this.#counter += 1n;
      this.#words.set(philox(this.#counter, this.#key));
      this.#place = 0;
    }
    const place = 2 * this.#place++;
    return [this.#halves[place], this.#halves[place + 1]];
  }

  #half() {
    if (this.#upper32 >= 0) {
      const upper = this.#upper32;
      this.#upper32 = -1;
      return upper;
    }
    const [low, high] = this.#word();
    this.#upper32 = high;
    return low;
  }

  #quarter() {
    if (this.#upper16 >= 0) {
      const upper = this.#upper16;
      this.#upper16 = -1;
      return upper;
    }
    const half = this.#half();
    this.#upper16 = half >>> 16;
    return half & 0xffff;
  }
}

/**
 * @param {bigint} counter
 * @param {bigint[]} key
 * @returns {bigint[]} four words of 64 bits
 */
function philox(counter, key) {
  let [a, b, c, d] = [counter, 0n, 0n, 0n];
  let [left, right] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const [first, second] = [MULTIPLIERS[0] * a, MULTIPLIERS[1] * c];
    a = (second >> 64n) ^ b ^ left;
    b = BigInt.asUintN(64, second);
    c = (first >> 64n) ^ d ^ right;
    d = BigInt.asUintN(64, first);
    left = BigInt.asUintN(64, left + INCREMENTS[0]);
    right = BigInt.asUintN(64, right + INCREMENTS[1]);
  }
  return [a, b, c, d];
}

/** @param {number} x */
function density(x) {
  return Math.exp((-x * x) / 2);
}

/** @returns {number[]} where each layer of the ziggurat lies under the density, from the top */
function edges() {
  const from = Array(LAYERS).fill(0);
  from[LAYERS - 1] = TAIL;
  for (let k = LAYERS - 1; k > 1; k--) {
    from[k - 1] = Math.sqrt(-2 * Math.log(AREA / from[k] + density(from[k])));
  }
  return from;
}
