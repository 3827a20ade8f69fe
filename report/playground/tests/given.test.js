import assert from "node:assert/strict";
import { test } from "node:test";

import { decode } from "../given.js";
import {
  base64,
  DENSE,
  encoded,
  HELD_OUT,
  INITIAL,
  network,
  PRUNE_FIRST,
  sound,
  TRAIN,
} from "./exports.js";

test("what was exported comes back", () => {
  assert.deepEqual(decode(sound()), {
    problem: { name: "moons", classes: 2, half: 2.5, train: TRAIN, heldOut: HELD_OUT },
    recipe: {
      ...{ optimiser: "sign_sgd", learningRate: 0.5, batchSize: 8, steps: 0 },
      ...{ betas: [0.9, 0.99], epsilon: 1e-7, momentum: 0 },
    },
    seed: 4,
    compensation: "linear",
    initial: INITIAL,
    ends: { kept: [[0, 2], [1]], dense: DENSE, pruneFirst: PRUNE_FIRST },
  });
});

test("two classes may have a logit each, more must", () => {
  const given = sound();
  for (const [name, widths] of Object.entries({
    initial: [2, 3, 2],
    dense: [2, 3, 2],
    prune_first: [2, 2, 1],
  }))
    given[name] = encoded(network([...widths, 2], 1));
  assert.deepEqual(decode(given).initial, network([2, 3, 2, 2], 1));
  given.problem.classes = 3;
  assert.throws(() => decode(given), /initial.widths is \[2,3,2,2\]; expected 2,3,2,3$/);
});

/** @param {(given: any) => unknown} change @returns {any} */
function spoiled(change) {
  const given = sound();
  change(given);
  return given;
}

/** Something wrong, and the end of what is said about it. @type {[any, string][]} */
const CORRUPTED = [
  [null, "format is undefined; expected 1"],
  ["text", "format is undefined; expected 1"],
  [spoiled((given) => (given.format = 2)), "format is 2; expected 1"],
  [spoiled((given) => delete given.problem), "problem is undefined; expected an object"],
  [spoiled((given) => (given.setting = null)), "setting is null; expected an object"],
  [spoiled((given) => (given.problem.name = 7)), "problem.name is 7; expected a text"],
  [
    spoiled((given) => (given.problem.classes = 1)),
    "problem.classes is 1; expected an integer from 2 to 256",
  ],
  [
    spoiled((given) => (given.problem.half = "2")),
    "problem.half is 2; expected a number of at least 0",
  ],
  [
    spoiled((given) => (given.problem.half = -1)),
    "problem.half is -1; expected a number of at least 0",
  ],
  [
    spoiled((given) => delete given.problem.train),
    "problem.train is undefined; expected an object",
  ],
  [spoiled((given) => (given.problem.train.count = 4)), "problem.train.y is 3 bytes; expected 4"],
  [
    spoiled((given) => (given.problem.train.y = base64(Uint8Array.of(0, 2, 1)))),
    "problem.train.y is labels up to 2; expected labels below 2",
  ],
  [
    spoiled((given) => (given.problem.held_out.x = "AAAA")),
    "problem.held_out.x is 3 bytes; expected 16",
  ],
  [
    spoiled((given) => (given.setting.hidden = [])),
    "setting.hidden is []; expected at least one layer",
  ],
  [spoiled((given) => (given.setting.hidden = "33")), "setting.hidden is 33; expected a list of 2"],
  [
    spoiled((given) => (given.setting.hidden[1] = 0)),
    "setting.hidden[1] is 0; expected an integer from 1 to 9007199254740991",
  ],
  [spoiled((given) => (given.setting.hidden = [3])), "kept is [[0,2],[1]]; expected a list of 1"],
  [
    spoiled((given) => (given.setting.seed = 2 ** 53)),
    "setting.seed is 9007199254740992; expected an integer",
  ],
  [spoiled((given) => (given.setting.steps = 1.5)), "setting.steps is 1.5; expected an integer"],
  [
    spoiled((given) => (given.setting.batch_size = 0)),
    "setting.batch_size is 0; expected an integer",
  ],
  [
    spoiled((given) => (given.setting.betas = [0.9])),
    "setting.betas is [0.9]; expected a list of 2",
  ],
  [
    spoiled((given) => (given.setting.betas[1] = 1)),
    "setting.betas[1] is 1; expected a number in [0, 1)",
  ],
  [
    spoiled((given) => (given.setting.momentum = -0.1)),
    "setting.momentum is -0.1; expected a number in [0, 1)",
  ],
  [
    spoiled((given) => (given.setting.optimiser = "toString")),
    "setting.optimiser is toString; expected one of adam",
  ],
  [
    spoiled((given) => (given.setting.compensation = "max")),
    "setting.compensation is max; expected one of none",
  ],
  [spoiled((given) => (given.kept[0] = 2)), "kept[0] is 2; expected a list"],
  [spoiled((given) => (given.kept[0] = [])), "kept[0] is []; expected at least one node"],
  [
    spoiled((given) => (given.kept[0] = [2, 0])),
    "kept[0][1] is 0; expected an integer from 3 to 2",
  ],
  [spoiled((given) => (given.kept[1] = [2])), "kept[1][0] is 2; expected an integer from 0 to 1"],
  [
    spoiled((given) => (given.kept[1] = [0, 1])),
    "prune_first.widths is [2,2,1,1]; expected 2,2,2,1",
  ],
  [spoiled((given) => delete given.dense), "dense is undefined; expected an object"],
  [spoiled((given) => (given.dense.widths[0] = 3)), "dense.widths is [3,3,2,1]; expected 2,3,2,1"],
  [spoiled((given) => given.dense.weights.pop()), "expected a list of 3"],
  [
    spoiled((given) => (given.dense.weights[0] = "AAAA")),
    "dense.weights[0] is 3 bytes; expected 24",
  ],
  [
    spoiled((given) => (given.dense.weights[1] = "*")),
    "dense.weights[1] is no base64; expected 24 bytes",
  ],
  [
    spoiled((given) => (given.dense.biases[2] = null)),
    "dense.biases[2] is no base64; expected 4 bytes",
  ],
  [
    spoiled((given) => (given.initial.biases[2] = base64(Float32Array.of(NaN)))),
    "initial.biases[2] is not finite; expected 1 finite numbers",
  ],
];

for (const [given, said] of CORRUPTED) {
  test(`corrupted: ${said}`, () => {
    assert.throws(
      () => decode(given),
      ({ message }) =>
        message.startsWith("these networks cannot be opened: ") && message.includes(said),
    );
  });
}
