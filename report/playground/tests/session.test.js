// One square in the hands of a reader, by a clock that the tests move.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { accuracies } from "../frames.js";
import { Session } from "../session.js";
import { DEFAULTS } from "../state.js";
import { advance, beginningOf, squareOf } from "./squares.js";

let now = 1000;
let tick = 0; // how long every look at the clock takes
mock.method(performance, "now", () => (now += tick));

const KEPT = [
  [0, 3],
  [1, 2, 7],
];

/** @param {Partial<import("../state.js").Setting>} given */
function sessionOf(given = {}, beginning = {}) {
  const setting = { ...DEFAULTS, hidden: [9, 8], steps: 1500, ...given };
  const { hidden, steps } = setting;
  return new Session(setting, { ...beginningOf([2, ...hidden, 1], { steps }), ...beginning });
}

/** Work until nothing is left to do, and show it. @param {Session} session */
function shown(session) {
  session.work(Infinity);
  return session.frame();
}

/** The ends of sixty steps, as if trained elsewhere. */
function ends() {
  const square = squareOf([2, 9, 8, 1], { steps: 60 });
  square.remove(KEPT);
  advance(square, 60);
  return { kept: KEPT, dense: square.dense.network, pruneFirst: square.branch.first.network };
}

test("a training takes 150 frames, fewer where they are slow, and shows every record", () => {
  const session = sessionOf();
  session.obey({ type: "run", on: true });
  const steps = [session.frame().step];
  for (const passed of [80, 80, 80, 180, 180]) {
    session.work(Infinity);
    now += passed;
    steps.push(session.frame().step);
  }
  // 1500 / 150 at first; 1500 * 80 / 4000; up to 50; 1500 * 80 / 4000; up to 100
  assert.deepEqual(steps, [0, 10, 40, 50, 80, 100]);
  const { frames } = session.frame().speed; // intervals of 80, 80, 80, 90, 99
  assert.ok(frames && Math.abs(frames - 1000 / (0.9 * 99)) < 1e-9);
});

test("speed is counted in steps of work, and anew at every start", () => {
  const session = sessionOf();
  assert.deepEqual(session.frame().speed, { steps: null, frames: null });
  session.obey({ type: "run", on: true });
  session.frame();
  tick = 4; // one look at the beginning, one at every step, one at the end: ten steps in 44 ms
  session.work(Infinity);
  tick = 0;
  now += 5000; // no work
  assert.ok(Math.abs((session.frame().speed.steps ?? 0) - 1e4 / 44) < 1e-9);
  session.obey({ type: "run", on: false });
  session.obey({ type: "run", on: true });
  assert.deepEqual(session.frame().speed, { steps: null, frames: null });
});

test("pauses between runs are no frames", () => {
  const session = sessionOf();
  session.obey({ type: "advance", steps: 1 });
  shown(session);
  now += 5000;
  assert.equal(shown(session).speed.frames, null);
  session.obey({ type: "run", on: true });
  session.frame();
  assert.equal(session.frame().speed.frames, null);
});

test("work ends when its time is over", () => {
  const session = sessionOf();
  session.obey({ type: "advance", steps: 1000 });
  tick = 1;
  session.work(now + 12);
  tick = 0;
  assert.equal(session.square.step, 10); // one look at the clock is for the beginning
});

test("running is leisure: it ends by another wish and at the last step", () => {
  const session = sessionOf({ steps: 120 });
  session.obey({ type: "run", on: true });
  assert.ok(session.frame().running);
  session.work(Infinity);
  assert.equal(session.square.step, 1);
  session.obey({ type: "advance", steps: 1 });
  const { running, step } = shown(session);
  assert.deepEqual([running, step], [false, 2]);
  session.obey({ type: "run", on: true });
  session.frame();
  session.obey({ type: "rewind" });
  assert.ok(!session.frame().running);
  assert.equal(shown(session).step, 0);
  session.obey({ type: "advance", steps: 1000 });
  assert.ok(!session.frame().running); // while there is something to do
  assert.equal(shown(session).step, 120);
  session.obey({ type: "run", on: false });
  assert.equal(shown(session).step, 120);
});

test("B catches up at full speed, then the dense network takes the steps of a frame", () => {
  const session = sessionOf();
  session.obey({ type: "run", on: true });
  session.frame();
  session.work(Infinity);
  session.obey({ type: "choose", criterion: "std", fraction: 0.5, layers: [0, 1] });
  session.frame();
  session.work(Infinity);
  assert.deepEqual([session.square.step, session.square.behind], [20, 20]);
});

test("a frame of a fiftieth step is its record, others are but the last of the course", () => {
  const session = sessionOf();
  session.obey({ type: "advance", steps: 50 });
  const { gap, floor, gaps } = shown(session);
  assert.deepEqual(gaps.steps, [0, 50]);
  assert.deepEqual([gaps.gap[1], gaps.floor[1]], [gap, floor]);
  assert.deepEqual(session.square.branch.records[1], { step: 50, gap, floor });
  session.obey({ type: "advance", steps: 20 });
  const later = shown(session);
  assert.deepEqual(later.gaps, {
    steps: [0, 50, 70],
    gap: [gaps.gap[0], gap, later.gap],
    floor: [gaps.floor[0], floor, later.floor],
  });
  assert.notEqual(later.gap, later.floor);
  assert.equal(session.square.branch.records.length, 2);
});

test("while B catches up no floor is told or recorded", () => {
  const session = sessionOf();
  session.obey({ type: "advance", steps: 50 });
  shown(session);
  session.obey({ type: "choose", criterion: "std", fraction: 0.5, layers: [0, 1] });
  const { floor, gaps, chosenAt } = session.frame();
  assert.deepEqual([floor, gaps.steps, chosenAt], [null, [], 50]);
  assert.deepEqual(session.square.branch.records, []);
  assert.equal(shown(session).floor, session.square.floor);
});

test("while running, floor and accuracy are those of the last fiftieth step", () => {
  const session = sessionOf();
  session.obey({ type: "run", on: true });
  const first = session.frame();
  const next = shown(session);
  assert.equal(next.step, 10);
  assert.deepEqual([next.floor, next.accuracy], [first.floor, first.accuracy]);
  while (session.square.step < 50) shown(session);
  const fiftieth = session.frame();
  assert.deepEqual(
    [fiftieth.floor, fiftieth.accuracy],
    [session.square.floor, accuracies(session.square)],
  );
  shown(session);
  session.obey({ type: "run", on: false });
  const { floor, accuracy } = session.frame();
  assert.deepEqual([floor, accuracy], [session.square.floor, accuracies(session.square)]);
  assert.notDeepEqual(accuracy, fiftieth.accuracy);
});

test("every wish leaves something to show, a frame leaves nothing", () => {
  const session = sessionOf();
  assert.ok(session.stale);
  /** @type {import("../session.js").Wish[]} */ const wishes = [
    { type: "run", on: false },
    { type: "rewind" },
    { type: "choose", criterion: "std", fraction: 0.5, layers: [0] },
    { type: "keep", kept: KEPT },
    { type: "compensate", compensation: "none" },
  ];
  for (const wish of wishes) {
    session.frame();
    assert.ok(!session.stale);
    session.obey(wish);
    assert.ok(session.stale, wish.type);
  }
  assert.equal(session.square.compensation, "none");
  session.frame();
  session.obey({ type: "advance", steps: 1 });
  session.frame();
  session.work(Infinity);
  assert.ok(session.stale);
});

test("nodes kept by hand start B anew only where they differ from those kept", () => {
  const session = sessionOf({ step: 20, kept: KEPT, chosenAt: 10 });
  assert.equal(shown(session).chosenAt, 10);
  session.obey({ type: "keep", kept: structuredClone(KEPT) });
  assert.equal(session.square.behind, 20);
  assert.equal(session.frame().chosenAt, null);
  for (const kept of [
    [[0], [1, 2]],
    [[0, 1], [2]],
  ]) {
    session.obey({ type: "keep", kept });
    assert.deepEqual([session.square.behind, session.square.branch.kept], [0, kept]);
  }
});

for (const [kept, reason] of /** @type {[any, RegExp][]} */ ([
  [[[0]], /kept has 1 layers; expected 2/],
  [[[0], []], /kept of layer 1 is \[\]; expected at least one node/],
  [[[0, 0], [0]], /kept of layer 0 is \[0,0\]; expected at least one node, in order, below 9/],
  [[[-1, 0], [0]], /kept of layer 0 is \[-1,0\]/],
  [[[0.5], [0]], /kept of layer 0 is \[0.5\]/],
  [[[0], [8]], /kept of layer 1 is \[8\]; .* below 8/],
])) {
  test(`${JSON.stringify(kept)} is not kept`, () => {
    const session = sessionOf();
    const before = session.square.branch;
    assert.throws(() => session.obey({ type: "keep", kept }), reason);
    assert.equal(session.square.branch, before);
  });
}

test("of networks trained elsewhere only B's repetition is still trained", () => {
  const given = ends();
  const session = sessionOf({ steps: 60, step: 60 }, { ends: given });
  const first = session.frame();
  assert.deepEqual([first.kept, first.floor, first.chosenAt], [KEPT, null, null]);
  const { step, behind, floor, gaps } = shown(session);
  assert.deepEqual([step, behind, gaps.steps], [60, 60, [60]]);
  assert.equal(floor, session.square.floor);
  assert.equal(session.square.branch.first.network, given.pruneFirst);
  assert.deepEqual(session.square.branch.records, []);
  session.obey({ type: "run", on: true }); // from the initialisation
  assert.equal(session.frame().step, 0);
});
