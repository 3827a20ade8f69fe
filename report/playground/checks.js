// Checks of values from elsewhere: every message names the value and what was expected.

/**
 * The value, if it is an object.
 * @param {string} name @param {any} value
 */
export function record(name, value) {
  expect(name, value, value !== null && typeof value === "object", "an object");
  return value;
}

/**
 * The value, if it is a list of this length.
 * @param {string} name @param {any} value @param {number | undefined} length
 * @returns {any[]}
 */
export function list(name, value, length) {
  const fits = Array.isArray(value) && value.length === length;
  expect(name, value, fits, length === undefined ? "a list" : `a list of ${length}`);
  return value;
}

/**
 * The value, if it is an integer from low to high.
 * @param {string} name @param {any} value @param {number} low
 * @returns {number}
 */
export function integer(name, value, low, high = Number.MAX_SAFE_INTEGER) {
  const fits = Number.isSafeInteger(value) && value >= low && value <= high;
  expect(name, value, fits, `an integer from ${low} to ${high}`);
  return value;
}

/**
 * The value, if it is a finite number of at least 0.
 * @param {string} name @param {any} value
 * @returns {number}
 */
export function atLeastZero(name, value) {
  expect(name, value, Number.isFinite(value) && value >= 0, "a number of at least 0");
  return value;
}

/**
 * The value, if it is a number in [0, 1).
 * @param {string} name @param {any} value
 * @returns {number}
 */
export function share(name, value) {
  expect(name, value, value >= 0 && value < 1, "a number in [0, 1)");
  return value;
}

/**
 * The value, if it is the name of something known.
 * @param {string} name @param {any} value @param {Record<string, unknown>} known
 * @returns {string}
 */
export function choice(name, value, known) {
  expect(name, value, Object.hasOwn(known, value), `one of ${Object.keys(known).join(", ")}`);
  return value;
}

/**
 * Throw an error that names a value, unless it fits: what it is and what was expected.
 * @param {string} name @param {any} value @param {boolean} fits @param {unknown} expected
 */
export function expect(name, value, fits, expected) {
  if (fits) return;
  const shown = (typeof value === "string" ? value : JSON.stringify(value))?.slice(0, 60);
  throw new Error(`${name} is ${shown}; expected ${expected}`);
}
