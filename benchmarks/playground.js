// What the playground's arithmetic takes, and what it gives: JSON for benchmarks/playground.py.
// Usage: node benchmarks/playground.js <folder of the modules> <networks> <rounds>

import { pathToFileURL } from "node:url";

const [folder, networks, rounds] = process.argv.slice(2);
const load = (name) => import(new URL(name, pathToFileURL(`${folder}/`)));
const { accuracies, view } = await load("frames.js");
const { MOVEMENTS } = await load("colours.js");
const { initialise, logitsAt } = await load("network.js");
const { PROBLEMS, plane } = await load("problems.js");
const { LiveSquare } = await load("square.js");
const { Training } = await load("training.js");
const { FAR } = await load("words.js");

const FEW_STEPS = 20;
const problem = PROBLEMS.spirals(0.02, 0);
const recipe = {
  ...{ optimiser: "adam", learningRate: 0.1, batchSize: 32, steps: 1500 },
  ...{ betas: [0.9, 0.999], epsilon: 1e-7, momentum: 0.9 },
};

function squareOf(seed) {
  const initial = initialise([2, 50, 50, 1], seed);
  const square = new LiveSquare({
    ...{ problem, initial, recipe, seed },
    ...{ compensation: "mean", ends: null },
  });
  square.choose("random", 0.5, [0, 1]);
  return square;
}

function trained(seed, steps) {
  const training = new Training(initialise([2, 50, 50, 1], seed), problem.train, recipe, seed);
  while (training.step < steps) training.advance();
  return training.network;
}

function afterFewSteps(seed) {
  return [...logitsAt(trained(seed, FEW_STEPS), plane(problem.half, 4), 16)];
}

function atTheEnd(seed) {
  const square = squareOf(seed);
  while (square.step < recipe.steps) square.advance();
  const { gap, scatter } = view(square);
  const coasted = scatter.group.filter((group) => MOVEMENTS[group].name === "coasted").length;
  const accuracy = accuracies(square);
  return { gap, floor: square.floor, accuracy, coasted: coasted / scatter.group.length };
}

function seconds(act) {
  const begin = performance.now();
  act();
  return (performance.now() - begin) / 1000;
}

const [untrained, end] = [squareOf(0), squareOf(0)];
while (end.step < recipe.steps) end.advance();
const timed = {
  training: () => trained(0, recipe.steps),
  map_untrained: () => untrained.logits(untrained.dense.network),
  map_trained: () => end.logits(end.dense.network),
  frame_untrained: () => view(untrained),
  frame_trained: () => view(end),
};
const times = Object.fromEntries(Object.keys(timed).map((name) => [name, []]));
for (const act of Object.values(timed)) act(); // compiled before it is timed
for (let round = 0; round < rounds; round++) {
  for (const [name, act] of Object.entries(timed)) times[name].push(seconds(act));
}
const seeds = [...Array(Number(networks)).keys()];
const agreement = seeds.map(afterFewSteps);
console.log(JSON.stringify({ node: process.version, far: FAR, times, agreement, ends: seeds.map(atTheEnd) }));
