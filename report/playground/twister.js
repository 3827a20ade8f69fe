// The random numbers from which scikit-learn draws its data sets: NumPy's Mersenne Twister.

/** `numpy.random.RandomState` of a seed: its numbers follow from the seed alone. */
export class Twister {
  #state = new Uint32Array(624);
  #place = 624;
  #spare = NaN; // the second number of a pair of normals

  /** @param {number} seed integer from 0 below 2**32 */
  constructor(seed) {
    this.#state[0] = seed;
    for (let k = 1; k < 624; k++) {
      const before = this.#state[k - 1];
      this.#state[k] = Math.imul(1812433253, before ^ (before >>> 30)) + k;
    }
  }

  /** Draw uniformly from [0, 1): `random_sample()`. */
  double() {
    return ((this.#word() >>> 5) * 2 ** 26 + (this.#word() >>> 6)) / 2 ** 53;
  }

  /** Draw from the standard normal distribution by the polar method: `standard_normal()`. */
  normal() {
    const spare = this.#spare;
    this.#spare = NaN;
    return Number.isNaN(spare) ? this.#pair() : spare;
  }

  /**
   * Shuffle in place: `shuffle(array)`.
   * @param {number[]} array shorter than 2**31
   */
  shuffle(array) {
    for (let k = array.length - 1; k > 0; k--) {
      const other = this.#upTo(k);
      [array[k], array[other]] = [array[other], array[k]];
    }
  }

  #pair() {
    for (;;) {
      const [x, y] = [2 * this.double() - 1, 2 * this.double() - 1];
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spare = scale * x;
      return scale * y;
    }
  }

  /** @param {number} largest */
  #upTo(largest) {
    const mask = 2 ** (32 - Math.clz32(largest)) - 1;
    for (;;) {
      const value = this.#word() & mask;
      if (value <= largest) return value;
    }
  }

  #word() {
    if (this.#place === 624) {
      twist(this.#state);
      this.#place = 0;
    }
    let word = this.#state[this.#place++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }
}

/** @param {Uint32Array} state of 624 words */
function twist(state) {
  for (let k = 0; k < 624; k++) {
    const joined = (state[k] & 0x80000000) | (state[(k + 1) % 624] & 0x7fffffff);
    state[k] = state[(k + 397) % 624] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
  }
}
