// The address of the page: every valid setting survives it, nothing else gets in.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CHOICES, LIMITS } from "../keys.js";
import { Stream } from "../random.js";
import {
  DEFAULTS,
  NOISE,
  read,
  retrained,
  settingOf,
  textOf,
  TRAINING_KEYS,
  write,
} from "../state.js";

const PRESET = {
  ...DEFAULTS,
  hidden: [5, 4],
  layers: [0, 1],
  step: 700,
  steps: 700,
  preset: "post",
};
const PRESETS = { post: { ...PRESET, kept: [[0, 2], [1]], chosenAt: 700 } };

/** Whole number from `least` to `largest`. */
function whole(stream, [least, largest]) {
  return Math.min(largest, least + Math.floor(stream.double() * (largest - least + 1)));
}

function one(stream, values) {
  return values[whole(stream, [0, values.length - 1])];
}

/** Some of the first `count` numbers, at least `least` of them. */
function some(stream, count, least) {
  const all = Array.from({ length: count }, (_, k) => k);
  const chosen = all.filter(() => stream.double() < 0.5);
  return chosen.length < least ? [one(stream, all)] : chosen;
}

function anySetting(seed) {
  const stream = new Stream(seed, "random pruning");
  const preset = one(stream, [null, null, "post"]);
  const steps = preset ? 700 : whole(stream, LIMITS.steps);
  const depth = whole(stream, LIMITS.hidden);
  const hidden = Array.from({ length: depth }, () => whole(stream, LIMITS.width));
  const own = {
    problem: one(stream, CHOICES.problem),
    noise: stream.double(),
    dataSeed: whole(stream, LIMITS.data_seed),
    hidden,
    seed: whole(stream, LIMITS.seed),
    optimiser: one(stream, CHOICES.optimiser),
    learningRate: one(stream, [10, 0.1, 1e-7, 10 * (1 - stream.double())]),
    batchSize: whole(stream, LIMITS.batch_size),
    steps,
  };
  const trained = preset ? PRESETS.post : { ...DEFAULTS, ...own };
  const chosen = trained.hidden.map((width) => some(stream, width, 1));
  const kept = preset ? chosen : one(stream, [null, chosen]);
  return {
    ...trained,
    criterion: one(stream, CHOICES.criterion),
    fraction: one(stream, [0, 0.5, LIMITS.fraction[1], stream.double()]),
    layers: some(stream, trained.hidden.length, 0),
    compensation: one(stream, CHOICES.compensation),
    kept,
    chosenAt: kept && one(stream, [null, whole(stream, [0, steps])]),
    step: whole(stream, [0, steps]),
    preset,
    scatter: one(stream, ["changes", "weights"]),
  };
}

test("an address gives back every setting", () => {
  for (let seed = 0; seed < 500; seed++) {
    const setting = anySetting(seed);
    const query = write(setting, PRESETS);
    assert.deepEqual(read(query, PRESETS), { setting, messages: [] }, query);
  }
});

test("the defaults are the post's, the noise of every problem that of the study", () => {
  assert.deepEqual(NOISE, { spirals: 0.02, moons: 0.1, circles: 0.05, xor: 0.05 });
  const { problem, noise, hidden, optimiser, learningRate, batchSize, steps } = DEFAULTS;
  assert.deepEqual([problem, noise, hidden], ["spirals", 0.02, [50, 50]]);
  assert.deepEqual([optimiser, learningRate, batchSize, steps], ["adam", 0.1, 32, 1500]);
  const { criterion, fraction, layers, compensation } = DEFAULTS;
  assert.deepEqual([criterion, fraction, layers, compensation], ["random", 0.5, [0, 1], "mean"]);
});

test("what is at its default stays out of the address", () => {
  assert.equal(write(DEFAULTS), "");
  assert.equal(write({ ...DEFAULTS, problem: "moons", noise: NOISE.moons }), "problem=moons");
  assert.equal(write({ ...DEFAULTS, hidden: [9], layers: [0] }), "hidden=9");
  assert.equal(write(PRESETS.post, PRESETS), "preset=post");
  assert.equal(write({ ...PRESETS.post, seed: 9 }, PRESETS), "preset=post"); // it brings its own
  assert.deepEqual(read(""), { setting: DEFAULTS, messages: [] });
});

test("kept nodes are a mask for each layer", () => {
  const { setting } = read("hidden=5-4&kept=15.8");
  assert.deepEqual(setting.kept, [[0, 2, 4], [3]]);
  assert.deepEqual(read("hidden=5-4&kept=1A.F").setting.kept, [
    [1, 3, 4],
    [0, 1, 2, 3],
  ]);
});

for (const query of [
  ...["noise=0", "noise=1", "noise=1e-3", "data_seed=0", "data_seed=2147483647"],
  ...["seed=0", "seed=2147483647", "hidden=1", "hidden=200-200-200"],
  ...["learning_rate=1e-300", "learning_rate=10", "batch_size=1", "batch_size=500"],
  ...["steps=1", "steps=5000", "fraction=0", "fraction=0.9999", "layers=", "layers=1"],
  ...["step=0", "step=1500", "hidden=5&kept=1&chosen_at=0", "hidden=5&kept=1f&chosen_at=1500"],
]) {
  test(`${query} is as far as it may go`, () => {
    const { setting, messages } = read(query);
    assert.deepEqual(messages, []);
    for (const [name, text] of new URLSearchParams(query)) {
      const shown = textOf(setting, name);
      assert.ok(shown === text || Number(shown) === Number(text), shown);
    }
  });
}

for (const [query, name, value, expected] of [
  ["problem=rings", "problem", "rings", "one of spirals, moons, circles, xor"],
  ["noise=-1", "noise", "-1", "a number from 0 to 1"],
  ["noise=1.001", "noise", "1.001", "a number from 0 to 1"],
  ["noise=0x1", "noise", "0x1", "a number from 0 to 1"],
  ["data_seed=1.5", "data_seed", "1.5", "a whole number from 0 to 2147483647"],
  ["hidden=100000", "hidden", "100000", "1 to 3 widths from 1 to 200"],
  ["hidden=201", "hidden", "201", "1 to 3 widths from 1 to 200"],
  ["hidden=9-9-9-9", "hidden", "9-9-9-9", "1 to 3 widths"],
  ["hidden=50-", "hidden", "50-", "1 to 3 widths"],
  ["seed=-1", "seed", "-1", "a whole number from 0 to 2147483647"],
  ["optimiser=constructor", "optimiser", "constructor", "one of adam"],
  ["learning_rate=0", "learning_rate", "0", "a number above 0, at most 10"],
  ["learning_rate=10.1", "learning_rate", "10.1", "a number above 0, at most 10"],
  ["learning_rate=", "learning_rate", "", "a number above 0, at most 10"],
  ["batch_size=501", "batch_size", "501", "a whole number from 1 to 500"],
  ["steps=Infinity", "steps", "Infinity", "a whole number from 1 to 5000"],
  ["criterion=toString", "criterion", "toString", "one of random, std"],
  ["fraction=1", "fraction", "1", "a number from 0 to below 1"],
  ["layers=2", "layers", "2", "hidden layers from 0 to 1"],
  ["layers=0-0", "layers", "0-0", "hidden layers from 0 to 1"],
  ["compensation=median", "compensation", "median", "one of none, mean, linear"],
  ["hidden=5-4&kept=ff.1", "kept", "ff.1", "a hexadecimal mask for each layer of 5 and 4 nodes"],
  ["hidden=5-4&kept=21.1", "kept", "21.1", "a hexadecimal mask"],
  ["hidden=5-4&kept=1x.1", "kept", "1x.1", "a hexadecimal mask"],
  ["hidden=5-4&kept=1.1.1", "kept", "1.1.1", "a hexadecimal mask"],
  ["hidden=5-4&kept=1.0", "kept", "1.0", "a hexadecimal mask"],
  ["hidden=5-4&kept=1", "kept", "1", "a hexadecimal mask"],
  ["hidden=5-4&kept=x.1", "kept", "x.1", "a hexadecimal mask"],
  ["chosen_at=5", "chosen_at", "5", "nothing without kept nodes"],
  ["hidden=5&kept=1&chosen_at=1501", "chosen_at", "1501", "hand or a whole number from 0 to 1500"],
  ["steps=10&step=11", "step", "11", "a whole number from 0 to 10"],
  ["preset=nobody", "preset", "nobody", "one of post"],
]) {
  test(`${query} is refused in words, and the default stands`, () => {
    const { setting, messages } = read(query, PRESETS);
    assert.equal(messages.length, 1);
    for (const part of [name, `“${value}”`, expected]) assert.ok(messages[0].includes(part));
    const before = new URLSearchParams(query);
    before.delete(name);
    assert.deepEqual(setting, read(before.toString(), PRESETS).setting);
  });
}

test("unknown keys and keys that a preset decides are named", () => {
  const { setting, messages } = read("preset=post&seed=3&colour=red", PRESETS);
  assert.deepEqual(setting, PRESETS.post);
  assert.match(messages[0], /colour/);
  assert.match(messages[1], /seed is “3”; the preset post brings its own/);
  assert.equal(messages.length, 2);
  for (const key of TRAINING_KEYS) {
    const text = textOf({ ...DEFAULTS, problem: "xor", noise: 0.5, hidden: [9], steps: 9 }, key);
    const found = read(`preset=post&${key}=${text}`, PRESETS);
    assert.deepEqual(found.setting, PRESETS.post);
    assert.match(found.messages.join(), new RegExp(`^${key} is “${text}”; the preset`));
  }
  assert.deepEqual(TRAINING_KEYS, [
    ...["problem", "noise", "data_seed", "hidden", "seed"],
    ...["optimiser", "learning_rate", "batch_size", "steps"],
  ]);
  assert.match(read("constructor=1").messages[0], /“constructor” is not a key/);
  assert.match(read("preset=post").messages[0], /expected none on this page/);
});

test("what is long is shown by its beginning", () => {
  const [short, long] = ["x".repeat(40), "x".repeat(41)];
  assert.match(read(short).messages[0], new RegExp(`^“${short}” is`));
  assert.match(read(long).messages[0], new RegExp(`^“${short}…” is`));
});

test("every training key has a text", () => {
  assert.deepEqual(
    TRAINING_KEYS.map((name) => textOf({ ...DEFAULTS, hidden: [5, 4, 3] }, name)),
    ["spirals", "0.02", "0", "5-4-3", "0", "adam", "0.1", "32", "1500"],
  );
});

test("no address throws", () => {
  for (const query of ["?", "%", "%ff=%00", "&&==", "kept", "__proto__=1", "x".repeat(1e5)]) {
    assert.deepEqual(read(query).setting, DEFAULTS);
  }
});

test("another problem, other widths: noise, layers and training follow", () => {
  const trained = { ...PRESETS.post, layers: [0] };
  const moons = retrained(trained, "problem", "moons").setting;
  assert.deepEqual(
    [moons.noise, moons.step, moons.kept, moons.chosenAt, moons.preset],
    [0.1, 0, null, null, null],
  );
  assert.deepEqual(retrained(trained, "hidden", "3-3-3").setting.layers, [0, 1, 2]);
  assert.match(retrained(trained, "steps", "many").message, /a whole number from 1 to 5000/);
});

test("given networks stand at the end of their training", () => {
  const made = {
    ...{ hidden: [3], seed: 7, optimiser: "sgd", learning_rate: 1, batch_size: 8, steps: 9 },
    compensation: "none",
  };
  const unsaid = { noise: null, data_seed: null, criterion: null, fraction: null };
  const given = {
    problem: { name: "mine", train: { count: 77 } },
    kept: [[1]],
    setting: { ...made, ...unsaid },
  };
  const expected = {
    ...{ problem: "mine", noise: 0, dataSeed: 0, hidden: [3], seed: 7 },
    ...{ optimiser: "sgd", learningRate: 1, batchSize: 8, steps: 9 },
    ...{ criterion: "random", fraction: 0.5, layers: [0], compensation: "none" },
    ...{ kept: [[1]], chosenAt: null, step: 9, preset: null },
    scatter: DEFAULTS.scatter,
  };
  assert.deepEqual(settingOf(given), expected);
  const said = { noise: 0.3, data_seed: 4, criterion: "std", fraction: 0.25, batch_size: null };
  assert.deepEqual(settingOf({ ...given, setting: { ...made, ...said } }, "name"), {
    ...expected,
    ...{ noise: 0.3, dataSeed: 4, criterion: "std", fraction: 0.25, batchSize: 77 },
    ...{ chosenAt: 9, preset: "name" },
  });
  assert.equal(settingOf({ ...given, problem: { ...given.problem, name: "moons" } }).noise, 0.1);
});
