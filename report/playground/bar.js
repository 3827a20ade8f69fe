// Train, step, rewind; how far training has come; gap and floor; what they mean.

import { button, element, labelled, setText } from "./elements.js";
import { decimal, verdict } from "./words.js";

/** @typedef {import("./session.js").Frame} Frame */
/** @typedef {import("./service.js").Request} Request */

const ONE = "One network, one seed.";

/** The bar on top of the playground. */
export class Bar {
  /** @param {(request: Request) => void} send */
  constructor(send) {
    this.running = false;
    this.train = button("Train", () => send({ type: "run", on: !this.running }));
    this.train.classList.add("main");
    this.progress = element("progress", { max: 1, value: 0 });
    this.place = element("span", { class: "muted" });
    this.gap = element("strong", { class: "A" }, "–");
    this.floor = element("strong", { class: "floor" }, "–");
    this.verdict = element("span", { role: "status" });
    const step = button("Step", () => send({ type: "advance", steps: 1 }));
    const rewind = button("Rewind", () => send({ type: "rewind" }));
    this.element = element(
      "section",
      { class: "bar", "aria-label": "Training" },
      element("div", { class: "buttons" }, this.train, step, rewind),
      labelled("Training", this.progress, this.place),
      element(
        "p",
        { class: "numbers" },
        element("span", {}, "gap A–B ", this.gap),
        element("span", {}, "noise floor ", this.floor),
      ),
      element("p", { class: "verdict" }, this.verdict, element("small", {}, ONE)),
    );
  }

  /** @param {Frame} frame */
  draw({ step, steps, running, gap, floor }) {
    this.running = running;
    this.progress.value = step / steps;
    setText(this.train, trainingLabel(running, step, steps));
    setText(this.gap, decimal(gap));
    setText(this.floor, decimal(floor));
  }

  /** @param {Frame} frame */
  describe(frame) {
    const { step, steps, speed } = frame;
    const rates = [rateText(speed.steps, "steps/s"), rateText(speed.frames, "frames/s")];
    setText(this.place, [`step ${step} of ${steps}`, ...rates].join(""));
    setText(this.verdict, verdict(frame));
  }
}

/** @param {boolean} running @param {number} step @param {number} steps */
function trainingLabel(running, step, steps) {
  if (running) return "Pause";
  return step < steps ? "Train" : "Train again";
}

/** @param {number | null} rate @param {string} unit */
function rateText(rate, unit) {
  return rate ? ` · ${Math.round(rate)} ${unit}` : "";
}
