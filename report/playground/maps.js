// The square as decision maps: dense and A, the start and B, and where A and B differ.

import { classColours } from "./colours.js";
import { element, setName, setText } from "./elements.js";
import { decimal, percent } from "./words.js";

/** @typedef {import("./session.js").Frame} Frame */
/** @typedef {import("./square.js").Problem} Problem */

const SIDE = 100; // pixels of a map
const DOTS = 400; // pixels of the points drawn over it
const RADIUS = 3.5;
const KEY =
  "Maps of the plane: colours are classes, dots training points; red where A and B differ. " +
  "Accuracy on held-out points.";

/** One map with its caption. */
class Picture {
  /** @param {string} letter for its colour @param {string} title */
  constructor(letter, title) {
    const name = { role: "img", "aria-label": title };
    this.canvas = element("canvas", { width: SIDE, height: SIDE, class: "map", ...name });
    this.points = element("canvas", {
      width: DOTS,
      height: DOTS,
      "aria-hidden": "true",
      class: "points",
    });
    this.caption = element("span", { class: "figure" });
    this.title = title;
    this.image = new ImageData(SIDE, SIDE);
    const heading = element("span", { class: `name ${letter}` }, title);
    const sheet = element("div", { class: "sheet" }, this.canvas, this.points);
    this.element = element(
      "figure",
      { class: letter },
      sheet,
      element("figcaption", {}, heading, " ", this.caption),
    );
  }

  /** @param {Uint8ClampedArray} pixels */
  draw(pixels) {
    this.image.data.set(pixels);
    this.canvas.getContext("2d")?.putImageData(this.image, 0, 0);
  }

  /** @param {string} text */
  describe(text) {
    setText(this.caption, text);
    setName(this.canvas, `${this.title}: ${text}`);
  }
}

/** The five maps of the square. */
export class SquareMaps {
  constructor() {
    this.dense = new Picture("dense", "dense");
    this.start = new Picture("start", "start");
    this.A = new Picture("A", "A");
    this.B = new Picture("B", "B");
    this.difference = new Picture("difference", "A against B");
    this.element = element(
      "section",
      { class: "square", "aria-label": "Both orders" },
      order("Train first, then prune", this.dense, "prune", this.A),
      order("Prune first, then train", this.start, "train", this.B),
      this.difference.element,
      element("p", { class: "hint" }, KEY),
    );
  }

  /** Draw the training points over the maps. @param {Problem} problem */
  open(problem) {
    for (const { points } of [this.dense, this.start, this.A, this.B]) drawPoints(points, problem);
  }

  /** Draw the maps, and say the same in words. @param {Frame} frame */
  draw({ maps, accuracy, gap, step, behind }) {
    this.dense.draw(maps.dense);
    this.start.draw(maps.start);
    this.A.draw(maps.A);
    this.B.draw(maps.B);
    this.difference.draw(maps.difference);
    this.dense.describe(`accuracy ${decimal(accuracy.dense)}`);
    this.start.describe("pruned, untrained");
    this.A.describe(`accuracy ${decimal(accuracy.A)}`);
    this.B.describe(behind < step ? `at step ${behind}` : `accuracy ${decimal(accuracy.B)}`);
    this.difference.describe(`differ on ${percent(gap)}`);
  }
}

/** One order: two maps and what leads from one to the other. @param {string} title @param {Picture} from @param {string} verb @param {Picture} to */
function order(title, from, verb, to) {
  const arrow = element(
    "p",
    { class: "arrow" },
    verb,
    element("span", { "aria-hidden": "true" }, "→"),
  );
  return element(
    "div",
    { class: "order" },
    element("h2", {}, title),
    from.element,
    arrow,
    to.element,
  );
}

/** @param {HTMLCanvasElement} canvas @param {Problem} problem */
function drawPoints(canvas, { half, classes, train: { x, y, count } }) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const colours = classColours(classes);
  const place = (/** @type {number} */ value) => ((value + half) / (2 * half)) * DOTS;
  context.clearRect(0, 0, DOTS, DOTS);
  context.strokeStyle = "#FFFFFF";
  for (let point = 0; point < count; point++) {
    context.beginPath();
    context.arc(place(x[point]), DOTS - place(x[count + point]), RADIUS, 0, 2 * Math.PI);
    context.fillStyle = colours[y[point]];
    context.fill();
    context.stroke();
  }
}
