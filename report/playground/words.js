// What a frame means, in words.

/** @typedef {import("./session.js").Frame} Frame */

/** Noise floors that a gap has to pass: one training in twenty differs from itself by as much. */
const FAR = 2;
const LIST = new Intl.ListFormat("en-GB");
const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"];

/**
 * A hidden layer by its place, counted from 0.
 * @param {number} layer
 */
export function layerName(layer) {
  return `${ORDINALS[layer] ?? `${layer + 1}th`} layer`;
}

/**
 * A share with two decimals.
 * @param {number | null} value
 */
export function decimal(value) {
  return value === null ? "–" : value.toFixed(2);
}

/**
 * A share in percent, with a decimal where it is small.
 * @param {number} value
 */
export function percent(value) {
  const digits = value > 0 && value < 0.0995 ? 1 : 0;
  return `${(100 * value).toFixed(digits)}\u202f%`;
}

/**
 * Whether the two orders commute in this network, as a sentence.
 * @param {Frame} frame
 */
export function verdict({ step, behind, kept, hidden, gap, floor, diverged }) {
  if (diverged.dense || diverged.B) {
    return "Training diverged: weights are no longer finite. A smaller learning rate may help.";
  }
  if (step === 0) return "Untrained: both orders are the same network.";
  if (kept.every((nodes, layer) => nodes.length === hidden[layer])) {
    return "No node is removed: both orders are the same network.";
  }
  if (behind < step) return `Prune first catches up: step ${behind} of ${step}.`;
  const orders = `The orders differ on ${percent(gap)} of the plane`;
  if (floor === null) return `${orders}; how far training differs from itself is not known yet.`;
  const meaning =
    gap > FAR * floor ? "they do not commute here" : "nothing here speaks against their commuting";
  return `${orders}, training differs from itself on ${percent(floor)}: ${meaning}.`;
}

/**
 * How many nodes are removed, and what chose them.
 * @param {Frame} frame
 * @param {string} criterion
 * @param {number[][] | undefined} given kept nodes of networks trained elsewhere
 */
export function removal({ kept, hidden, chosenAt }, criterion, given) {
  const counts = kept.map((nodes, layer) => `${hidden[layer] - nodes.length} of ${hidden[layer]}`);
  const untouched = chosenAt === null && String(kept) === String(given);
  const by = untouched ? "as given" : chooser(criterion, chosenAt);
  return `${LIST.format(counts)} nodes removed: ${by}.`;
}

/** @param {string} criterion @param {number | null} chosenAt */
function chooser(criterion, chosenAt) {
  if (chosenAt === null) return "by hand";
  if (criterion === "random") return "at random";
  return chosenAt === 0
    ? `lowest ${criterion} in the untrained network`
    : `lowest ${criterion} in the network trained to step ${chosenAt}`;
}
