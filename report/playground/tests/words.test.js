// What a frame means, in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CHOICES } from "../keys.js";
import { decimal, layerName, meaning, percent, removal, verdict } from "../words.js";

const FRAME = {
  ...{ step: 300, behind: 300, hidden: [4, 2], kept: [[0, 3], [1]], chosenAt: 0 },
  ...{ gap: 0.41, floor: 0.09, diverged: { dense: false, B: false } },
};

test("orders do not commute where their gap is above two noise floors", () => {
  assert.equal(
    verdict(FRAME),
    "The orders differ on 41\u202f% of the plane, training differs from itself on 9.0\u202f%: " +
      "they do not commute here.",
  );
  const open = /nothing here speaks against their commuting/;
  assert.match(verdict({ ...FRAME, gap: 0.179 }), open);
  assert.match(verdict({ ...FRAME, gap: 0.18 }), open);
  assert.match(verdict({ ...FRAME, gap: 0 }), open);
  assert.match(verdict({ ...FRAME, gap: 0.181 }), /they do not commute here/);
});

test("what cannot be judged yet is said", () => {
  assert.match(verdict({ ...FRAME, step: 0, behind: 0 }), /^Untrained/);
  assert.match(
    verdict({
      ...FRAME,
      kept: [
        [0, 1, 2, 3],
        [0, 1],
      ],
    }),
    /^No node is removed/,
  );
  assert.match(verdict({ ...FRAME, kept: [[0], [0, 1]] }), /^The orders differ/);
  assert.match(verdict({ ...FRAME, behind: 20 }), /step 20 of 300/);
  assert.match(verdict({ ...FRAME, running: true }), /still move/);
  assert.match(verdict({ ...FRAME, floor: null }), /is not known yet/);
  for (const [dense, B] of [
    [false, true],
    [true, false],
  ])
    assert.match(verdict({ ...FRAME, diverged: { dense, B } }), /^Training diverged/);
});

test("who chose the nodes is told", () => {
  const counts = "2 of 4 and 1 of 2 nodes removed";
  assert.equal(removal(FRAME, "random"), `${counts}: at random.`);
  assert.equal(removal(FRAME, "std"), `${counts}: lowest std in the untrained network.`);
  assert.match(removal({ ...FRAME, chosenAt: 200 }, "std"), /lowest std .* trained to step 200/);
  assert.equal(removal({ ...FRAME, chosenAt: null }, "std"), `${counts}: by hand.`);
  assert.equal(removal({ ...FRAME, chosenAt: null }, "std", FRAME.kept), `${counts}: as given.`);
  assert.match(removal({ ...FRAME, chosenAt: 200 }, "std", FRAME.kept), /lowest std/);
  const few = { ...FRAME, hidden: [9, 8], kept: [[1], [0, 2, 3, 4, 5, 6, 7]] };
  assert.equal(removal(few, "random"), "8 of 9 and 1 of 8 nodes removed: at random.");
});

test("every criterion and every compensation is explained", () => {
  for (const criterion of CHOICES.criterion) {
    for (const compensation of CHOICES.compensation) {
      assert.doesNotMatch(meaning(criterion, compensation), /undefined/);
    }
  }
});

test("layers are counted from the first", () => {
  assert.deepEqual([0, 1, 2, 5, 6].map(layerName), [
    ...["first layer", "second layer", "third layer", "sixth layer", "7th layer"],
  ]);
});

test("small shares keep a decimal", () => {
  const percents = [0, 0.004, 0.0994, 0.0996, 1].map(percent);
  assert.deepEqual(
    percents.map((text) => text.replace("\u202f", " ")),
    ["0 %", "0.4 %", "9.9 %", "10 %", "100 %"],
  );
  assert.deepEqual([decimal(0.405), decimal(null)], ["0.41", "–"]);
});
