// The state of the playground, and its text in the page's address.

import { keysFor } from "./keys.js";

/**
 * Everything that a link reproduces.
 * @typedef {Object} Setting
 * @property {string} problem
 * @property {number} noise standard deviation of the points around their shape
 * @property {number} dataSeed
 * @property {number[]} hidden nodes of each hidden layer
 * @property {number} seed of the initialisation and the batch order
 * @property {string} optimiser
 * @property {number} learningRate
 * @property {number} batchSize
 * @property {number} steps of the whole training
 * @property {string} criterion
 * @property {number} fraction share of the nodes that goes from each of the layers
 * @property {number[]} layers hidden layers to prune, counted from 0
 * @property {string} compensation
 * @property {number[][] | null} kept nodes that stay in each hidden layer; null: yet to be chosen
 * @property {number | null} chosenAt step at which the criterion chose; null: by hand, or not yet
 * @property {number} step how far training has come
 * @property {string | null} preset
 * @property {string} scatter which weights are shown: `changes` since the start or `weights`
 */

/** @typedef {Record<string, Setting>} Presets settings of the page's presets, by name */
/**
 * @typedef {{setting: Record<string, any>, kept: number[][],
 *   problem: {name: string, train: {count: number}}}} Given
 */

/** Noise of each problem until it is set, as in `helpers.data`. @type {Record<string, number>} */
export const NOISE = { spirals: 0.02, moons: 0.1, circles: 0.05, xor: 0.05 };

/** The post's setting, untrained. @type {Readonly<Setting>} */
export const DEFAULTS = {
  problem: "spirals",
  noise: NOISE.spirals,
  dataSeed: 0,
  hidden: [50, 50],
  seed: 0,
  optimiser: "adam",
  learningRate: 0.1,
  batchSize: 32,
  steps: 1500,
  criterion: "random",
  fraction: 0.5,
  layers: [0, 1],
  compensation: "mean",
  kept: null,
  chosenAt: null,
  step: 0,
  preset: null,
  scatter: "changes",
};

const UNTRAINED = { kept: null, chosenAt: null, step: 0, preset: null };

/** Keys of what is trained: a preset brings its own. */
export const TRAINING_KEYS = [
  ...["problem", "noise", "data_seed", "hidden", "seed"],
  ...["optimiser", "learning_rate", "batch_size", "steps"],
];

/**
 * The setting that an address describes, and a message for every key that had to be left out.
 *
 * Never throws: what is missing or does not fit gets its default, with a preset the preset's value.
 * @param {string} query
 * @param {Presets} presets
 */
export function read(query, presets = {}) {
  const texts = new URLSearchParams(query);
  const keys = keysFor(Object.keys(presets));
  const messages = [...texts.keys()].filter((name) => !Object.hasOwn(keys, name)).map(unknown);
  let setting = { ...DEFAULTS };
  for (const [name, key] of Object.entries(keys)) {
    const text = texts.get(name);
    const usual = usualValue(key.field, setting, presets);
    const value = text === null || fixed(name, setting) ? usual : key.parse(text, setting);
    if (text !== null && fixed(name, setting)) messages.push(needless(name, text, setting));
    if (value === undefined) messages.push(unfit(name, text ?? "", key.expected(setting)));
    setting = { ...setting, [key.field]: value === undefined ? usual : value };
  }
  return { setting, messages };
}

/**
 * The address of a setting, without the keys at their defaults.
 * @param {Setting} setting
 * @param {Presets} presets
 */
export function write(setting, presets = {}) {
  const texts = new URLSearchParams();
  for (const [name, key] of Object.entries(keysFor(Object.keys(presets)))) {
    const text = key.print(setting[key.field]);
    const usual = key.print(usualValue(key.field, setting, presets));
    if (text !== usual && !fixed(name, setting)) texts.set(name, text);
  }
  return texts.toString();
}

/**
 * The setting with one training key changed by its text, untrained; or what was expected instead.
 *
 * Another problem brings its own noise, other widths are pruned in every layer.
 * @param {Setting} setting
 * @param {string} name
 * @param {string} text
 * @returns {{setting: Setting} | {message: string}}
 */
export function retrained(setting, name, text) {
  const key = keysFor([])[name];
  const value = key.parse(text, setting);
  if (value === undefined) return { message: `expected ${key.expected(setting)}` };
  const changed = { ...setting, ...UNTRAINED, [key.field]: value };
  if (name === "problem") changed.noise = NOISE[value];
  if (name === "hidden") changed.layers = allLayers(value);
  return { setting: changed };
}

/**
 * The text of one key of a setting.
 * @param {Setting} setting
 * @param {string} name
 */
export function textOf(setting, name) {
  const key = keysFor([])[name];
  return key.print(setting[key.field]);
}

/**
 * The setting of given networks, at the end of their training.
 * @param {Given} given
 * @param {string | null} preset its name among the page's presets
 * @returns {Setting}
 */
export function settingOf({ setting, problem, kept }, preset = null) {
  return {
    problem: problem.name,
    noise: setting.noise ?? NOISE[problem.name] ?? 0,
    dataSeed: setting.data_seed ?? 0,
    hidden: setting.hidden,
    seed: setting.seed,
    optimiser: setting.optimiser,
    learningRate: setting.learning_rate,
    batchSize: setting.batch_size ?? problem.train.count,
    steps: setting.steps,
    criterion: setting.criterion ?? DEFAULTS.criterion,
    fraction: setting.fraction ?? DEFAULTS.fraction,
    layers: allLayers(setting.hidden),
    compensation: setting.compensation,
    kept,
    chosenAt: setting.criterion ? setting.steps : null,
    step: setting.steps,
    preset,
    scatter: DEFAULTS.scatter,
  };
}

/** @param {keyof Setting} field @param {Setting} setting @param {Presets} presets */
function usualValue(field, setting, presets) {
  if (field !== "preset" && setting.preset !== null) return presets[setting.preset][field];
  if (field === "noise") return NOISE[setting.problem];
  if (field === "layers") return allLayers(setting.hidden);
  return DEFAULTS[field];
}

/** @param {number[]} hidden */
function allLayers(hidden) {
  return hidden.map((_, layer) => layer);
}

/** Whether the preset alone decides a key. @param {string} name @param {Setting} setting */
function fixed(name, setting) {
  return setting.preset !== null && TRAINING_KEYS.includes(name);
}

/** @param {string} name */
function unknown(name) {
  return `${quoted(name)} is not a key of this page's address; it changes nothing.`;
}

/** @param {string} name @param {string} text @param {Setting} setting */
function needless(name, text, { preset }) {
  return `${name} is ${quoted(text)}; the preset ${preset} brings its own.`;
}

/** @param {string} name @param {string} text @param {string} expected */
function unfit(name, text, expected) {
  return `${name} is ${quoted(text)}; expected ${expected}. The default stands instead.`;
}

/** @param {string} text */
function quoted(text) {
  return `“${text.length > 40 ? `${text.slice(0, 40)}…` : text}”`;
}
