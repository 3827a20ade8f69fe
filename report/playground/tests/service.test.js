// The service as the interface sees it: requests in, answers out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { initialise } from "../network.js";
import { PROBLEMS } from "../problems.js";
import { Service } from "../service.js";
import { DEFAULTS } from "../state.js";
import { DENSE, INITIAL, sound } from "./exports.js";

/** @typedef {import("../service.js").Answer} Answer */
/** @typedef {import("../session.js").Frame} Frame */

const SMALL = { ...DEFAULTS, hidden: [9, 8], steps: 120 };

/**
 * A service whose frames are shown at once, with everything it answered.
 * @param {Partial<import("../state.js").Setting>} setting
 */
function opened(setting = {}) {
  /** @type {Answer[]} */ const answers = [];
  /** @type {((frame: Frame) => void)[]} */ const waiting = [];
  const service = new Service((answer) => {
    answers.push(answer);
    if (answer.type !== "frame") return;
    waiting.splice(0).forEach((resolve) => resolve(answer));
    setTimeout(() => service.receive({ type: "shown" }));
  });
  service.receive({ type: "open", setting: { ...SMALL, ...setting }, given: null });
  const next = () =>
    new Promise((/** @type {(frame: Frame) => void} */ resolve) => waiting.push(resolve));
  return { service, answers, next };
}

/** The first frame for which something holds. @param {() => Promise<Frame>} next @param {(frame: Frame) => boolean} holds */
async function until(next, holds) {
  for (;;) {
    const frame = await next();
    if (holds(frame)) return frame;
  }
}

/** @param {Frame} frame */
const atRest = ({ running, step, behind, gaps }) =>
  !running && step === behind && gaps.steps.length === Math.floor(step / 50) + (step % 50 ? 2 : 1);

test("opening answers with the problem, then a frame", async () => {
  const { answers, next } = opened();
  const frame = await next();
  const problem = PROBLEMS.spirals(0.02, 0);
  assert.deepEqual(answers[0], { type: "opened", problem, widths: [2, 9, 8, 1] });
  assert.deepEqual([frame.step, frame.steps, frame.running, frame.chosenAt], [0, 120, false, 0]);
  assert.deepEqual(
    frame.kept.map((nodes) => nodes.length),
    [5, 4],
  ); // round(4.5) = 4 go
  assert.equal(frame.maps.A.length, 4 * 100 * 100);
  assert.deepEqual(
    frame.nodes.map((layer) => layer.length),
    [9, 8],
  );
});

test("running ends at the last step, and begins again from the initialisation", async () => {
  const { service, next } = opened();
  service.receive({ type: "run", on: true });
  const end = await until(next, (frame) => atRest(frame) && frame.step === 120);
  assert.ok(end.speed.steps);
  service.receive({ type: "run", on: true });
  await until(next, (frame) => frame.step < 120);
  const again = await until(next, (frame) => atRest(frame) && frame.step === 120);
  assert.deepEqual(again.maps, end.maps);
  assert.deepEqual(again.gaps, end.gaps);
});

test("pausing, single steps, rewinding", async () => {
  const { service, next } = opened({ steps: 5000 });
  service.receive({ type: "run", on: true });
  await until(next, ({ step }) => step > 40);
  service.receive({ type: "run", on: false });
  const { step } = await until(next, atRest);
  assert.ok(step < 5000);
  service.receive({ type: "advance", steps: 1 });
  assert.equal((await until(next, (frame) => frame.step !== step)).step, step + 1);
  service.receive({ type: "rewind" });
  assert.equal((await until(next, (frame) => frame.step < step)).step, 0);
});

test("a link that names a step arrives there, with the nodes it names", async () => {
  const kept = [
    [0, 3],
    [1, 2, 7],
  ];
  const { next } = opened({ step: 70, kept, chosenAt: 60 });
  const frame = await until(next, (one) => one.step === 70 && atRest(one));
  assert.deepEqual([frame.kept, frame.chosenAt], [kept, 60]);
  const { service, next: other } = opened();
  service.receive({ type: "keep", kept });
  service.receive({ type: "advance", steps: 70 });
  const byHand = await until(other, (one) => one.step === 70 && atRest(one));
  assert.deepEqual(byHand.maps, frame.maps);
  assert.equal(byHand.chosenAt, null);
});

test("B catches up after another choice", async () => {
  const { service, next } = opened({ step: 120 });
  await until(next, (frame) => atRest(frame) && frame.step === 120);
  service.receive({ type: "choose", criterion: "std", fraction: 0.25, layers: [1] });
  const frame = await until(next, ({ kept }) => kept[0].length === 9);
  assert.equal(frame.chosenAt, 120);
  const end = atRest(frame) ? frame : await until(next, atRest); // one slice may do
  assert.equal(end.step, 120);
  assert.notEqual(end.floor, null);
});

test("no frame is sent before the last one was shown", async () => {
  /** @type {Answer[]} */ const answers = [];
  const service = new Service((answer) => answers.push(answer));
  service.receive({ type: "open", setting: SMALL, given: null });
  service.receive({ type: "run", on: true });
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(answers.filter(({ type }) => type === "frame").length, 1);
});

test("what cannot be done is refused with a reason, and all stays as it was", async () => {
  /** @type {[any, RegExp][]} */ const cases = [
    [{ type: "keep", kept: [[0], []] }, /^kept of layer 1 is \[\]; expected at least one node/],
    [{ type: "keep", kept: [[0, 9], [0]] }, /below 9/],
    [{ type: "keep", kept: [[1, 0], [0]] }, /in order/],
    [{ type: "keep", kept: [[0], [0], [0]] }, /kept has 3 layers; expected 2/],
    [{ type: "open", setting: SMALL, given: { format: 2 } }, /format is 2; expected 1/],
  ];
  for (const [request, reason] of cases) {
    const { service, answers, next } = opened();
    const before = await next();
    service.receive(request);
    const refusal = answers.find((answer) => answer.type === "refused");
    assert.match(refusal?.message ?? "", reason);
    service.receive({ type: "rewind" });
    assert.deepEqual((await next()).maps, before.maps);
  }
});

test("a setting of one's own begins as it says", () => {
  const own = {
    ...{ problem: "moons", noise: 0.3, dataSeed: 5, hidden: [4, 3], seed: 7 },
    ...{ optimiser: "momentum", learningRate: 0.02, batchSize: 16, steps: 60 },
    compensation: "none",
  };
  const { problem, initial, recipe, seed, compensation, ends } =
    opened(own).service.session?.square.beginning ?? assert.fail();
  assert.deepEqual(problem, PROBLEMS.moons(0.3, 5));
  assert.deepEqual(initial, initialise([2, 4, 3, 1], 7));
  assert.deepEqual([seed, compensation, ends], [7, "none", null]);
  const { optimiser, learningRate, batchSize, steps, betas, epsilon, momentum } = recipe;
  assert.deepEqual([optimiser, learningRate, batchSize, steps], ["momentum", 0.02, 16, 60]);
  assert.deepEqual([betas, epsilon, momentum], [[0.9, 0.999], 1e-7, 0.9]);
});

test("networks trained elsewhere stand at their last step, else begin anew", () => {
  const given = sound();
  given.setting.steps = 40;
  const squareAt = (/** @type {number} */ step) => {
    const { service } = opened();
    const setting = { ...SMALL, hidden: [3, 2], steps: 40, step, kept: [[0], [1]] };
    service.receive({ type: "open", setting: { ...setting, compensation: "none" }, given });
    return service.session?.square ?? assert.fail();
  };
  const [last, before] = [40, 39].map(squareAt);
  assert.deepEqual([last.step, last.dense.network], [40, DENSE]);
  assert.deepEqual([before.step, before.dense.network], [0, INITIAL]);
  assert.deepEqual([last.compensation, before.compensation], ["none", "none"]);
});

test("one turn is due at a time, none when nothing is to be done, each works a slice", (context) => {
  /** @type {(() => void)[]} */ const due = [];
  context.mock.method(globalThis, "setTimeout", (/** @type {() => void} */ f) => due.push(f));
  let now = 0;
  context.mock.method(performance, "now", () => now++);
  /** @type {string[]} */ const types = [];
  const service = new Service(({ type }) => types.push(type));
  service.receive({ type: "open", setting: SMALL, given: null });
  service.receive({ type: "advance", steps: 24 });
  assert.equal(due.length, 1);
  due.pop()?.();
  assert.deepEqual(types, ["opened", "frame"]);
  assert.equal(service.session?.square.step, 10); // in 12 looks at the clock, two at the beginning
  assert.equal(due.length, 1); // works on while the frame is awaited
  while (due.length) due.pop()?.();
  assert.equal(service.session?.square.step, 24);
  assert.deepEqual(types, ["opened", "frame"]);
  service.receive({ type: "shown" });
  while (due.length) due.pop()?.();
  assert.deepEqual(types, ["opened", "frame", "frame"]);
  service.receive({ type: "shown" });
  assert.equal(due.length, 0);
});

test("nodes of a network that diverged are not chosen by scores", async () => {
  const { service, answers, next } = opened();
  await next();
  service.session?.square.dense.network.weights[0].fill(NaN);
  service.receive({ type: "choose", criterion: "std", fraction: 0.5, layers: [0] });
  assert.match(JSON.stringify(answers[answers.length - 1]), /refused.*diverged/);
});

test("nothing can be done before a square is open", () => {
  /** @type {any[]} */ const answers = [];
  new Service((answer) => answers.push(answer)).receive({ type: "rewind" });
  assert.match(answers[0].message, /Nothing is open/);
});

test("steps asked for before the last one is done add up, and a frame tells their goal", async () => {
  const { service, next } = opened();
  for (let k = 0; k < 6; k++) service.receive({ type: "advance", steps: 1 });
  const frame = await until(next, ({ step }) => step === 6);
  assert.equal(frame.target, 6);
});

test("a refusal names the request it answers", async () => {
  const { service, answers, next } = opened();
  await next();
  service.receive({ type: "keep", kept: [] });
  const refusal = answers.find((answer) => answer.type === "refused");
  assert.equal(refusal?.type === "refused" && refusal.of, "keep");
});
