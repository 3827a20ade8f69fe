// Networks that come with the page: a preset, or the square of a notebook (`helpers.explorer`).

import { atLeastZero, choice, expect, integer, list, record, share } from "./checks.js";
import { COMPENSATIONS } from "./pruning.js";
import { OPTIMISERS } from "./training.js";

/**
 * @typedef {import("./network.js").Network} Network
 * @typedef {import("./network.js").Points} Points
 * @typedef {import("./training.js").Recipe} Recipe
 * @typedef {import("./square.js").Problem} Problem
 * @typedef {import("./square.js").Beginning} Beginning
 * @typedef {import("./square.js").Ends} Ends
 */

const FORMAT = 1;
const MOST_POINTS = 2 ** 16; // of which batches can be drawn

/**
 * What `helpers.explorer.exported` wrote, with typed arrays. What does not fit is named.
 * @param {any} given
 * @returns {Beginning & {ends: Ends}}
 */
export function decode(given) {
  try {
    return decoded(given);
  } catch (error) {
    throw new Error(
      `these networks cannot be opened: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** @param {any} given @returns {Beginning & {ends: Ends}} */
function decoded(given) {
  expect("format", given?.format, given?.format === FORMAT, FORMAT);
  const problem = problemOf(record("problem", given.problem));
  const setting = record("setting", given.setting);
  const hidden = hiddenOf(setting.hidden);
  const kept = keptOf(given.kept, hidden);
  const stays = kept.map((layer) => layer.length);
  return {
    problem,
    recipe: recipeOf(setting),
    seed: integer("setting.seed", setting.seed, 0),
    compensation: choice("setting.compensation", setting.compensation, COMPENSATIONS),
    initial: networkOf("initial", given.initial, hidden, problem.classes),
    ends: {
      kept,
      dense: networkOf("dense", given.dense, hidden, problem.classes),
      pruneFirst: networkOf("prune_first", given.prune_first, stays, problem.classes),
    },
  };
}

/** @param {any} given @returns {Problem} */
function problemOf(given) {
  const name = given.name;
  expect("problem.name", name, typeof name === "string", "a text");
  const classes = integer("problem.classes", given.classes, 2, 256);
  const half = atLeastZero("problem.half", given.half);
  const train = pointsOf("problem.train", given.train, classes);
  return {
    name,
    classes,
    half,
    train,
    heldOut: pointsOf("problem.held_out", given.held_out, classes),
  };
}

/** @param {string} name @param {any} given @param {number} classes @returns {Points} */
function pointsOf(name, given, classes) {
  const count = integer(`${name}.count`, record(name, given).count, 1, MOST_POINTS);
  const y = bytes(`${name}.y`, given.y, count);
  const most = y.reduce((a, b) => Math.max(a, b));
  expect(`${name}.y`, `labels up to ${most}`, most < classes, `labels below ${classes}`);
  return { x: floats(`${name}.x`, given.x, 2 * count), y, count };
}

/** @param {any} given @returns {number[]} */
function hiddenOf(given) {
  const hidden = list("setting.hidden", given, given?.length);
  expect("setting.hidden", hidden, hidden.length > 0, "at least one layer");
  return hidden.map((width, layer) => integer(`setting.hidden[${layer}]`, width, 1));
}

/** @param {any} given @returns {Recipe} */
function recipeOf(given) {
  const betas = list("setting.betas", given.betas, 2);
  betas.forEach((beta, k) => share(`setting.betas[${k}]`, beta));
  return {
    optimiser: choice("setting.optimiser", given.optimiser, OPTIMISERS),
    learningRate: atLeastZero("setting.learning_rate", given.learning_rate),
    batchSize:
      given.batch_size === null ? null : integer("setting.batch_size", given.batch_size, 1),
    steps: integer("setting.steps", given.steps, 0),
    betas: [betas[0], betas[1]],
    epsilon: atLeastZero("setting.epsilon", given.epsilon),
    momentum: share("setting.momentum", given.momentum),
  };
}

/** @param {any} given @param {number[]} hidden @returns {number[][]} */
function keptOf(given, hidden) {
  return list("kept", given, hidden.length).map((layer, place) => {
    const name = `kept[${place}]`;
    const nodes = list(name, layer, layer?.length);
    expect(name, nodes, nodes.length > 0, "at least one node");
    return nodes.map((node, k) =>
      integer(`${name}[${k}]`, node, k ? nodes[k - 1] + 1 : 0, hidden[place] - 1),
    );
  });
}

/** @param {string} name @param {any} given @param {number[]} hidden @param {number} classes @returns {Network} */
function networkOf(name, given, hidden, classes) {
  const widths = list(`${name}.widths`, record(name, given).widths, hidden.length + 2);
  const logits = widths[widths.length - 1];
  const suited = logits === classes || (classes === 2 && logits === 1);
  const expected = [2, ...hidden, suited ? logits : classes];
  expect(`${name}.widths`, widths, String(widths) === String(expected), expected);
  const layers = widths.slice(1);
  return {
    widths,
    weights: list(`${name}.weights`, given.weights, layers.length).map((weight, layer) =>
      floats(`${name}.weights[${layer}]`, weight, layers[layer] * widths[layer]),
    ),
    biases: list(`${name}.biases`, given.biases, layers.length).map((bias, layer) =>
      floats(`${name}.biases[${layer}]`, bias, layers[layer]),
    ),
  };
}

/** @param {string} name @param {any} text @param {number} count @returns {Float32Array} */
function floats(name, text, count) {
  const values = new Float32Array(bytes(name, text, 4 * count).buffer);
  expect(name, "not finite", values.every(Number.isFinite), `${count} finite numbers`);
  return values;
}

/** @param {string} name @param {any} text base64 @param {number} count @returns {Uint8Array} */
function bytes(name, text, count) {
  const decoded = binary(text);
  expect(name, "no base64", decoded !== null, `${count} bytes`);
  expect(name, `${decoded?.length} bytes`, decoded?.length === count, `${count}`);
  return Uint8Array.from(decoded ?? "", (letter) => letter.charCodeAt(0));
}

/** @param {any} text @returns {string | null} */
function binary(text) {
  try {
    return typeof text === "string" ? atob(text) : null;
  } catch {
    return null;
  }
}
