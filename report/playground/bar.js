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
    this.rates = element("span", { class: "muted" });
    this.gap = element("strong", { class: "A" }, "–");
    this.floor = element("strong", { class: "floor" }, "–");
    this.verdict = element("span", { role: "status" });
    const step = button("Step", () => send({ type: "advance", steps: 1 }));
    const rewind = button("Rewind", () => send({ type: "rewind" }));
    this.element = element(
      "section",
      { class: "bar", "aria-label": "Training" },
      element("div", { class: "buttons" }, this.train, step, rewind),
      labelled("Training", this.progress, this.place, this.rates),
      element(
        "p",
        { class: "numbers" },
        element("span", {}, "gap A–B ", this.gap),
        element("span", {}, "noise floor ", this.floor),
        element("small", {}, ONE),
      ),
      element("p", { class: "verdict" }, this.verdict),
    );
  }

  /** @param {Frame} frame */
  draw({ step, steps, running, gap, floor, diverged }) {
    this.running = running;
    this.progress.value = step / steps;
    setText(this.place, `step ${step} of ${steps}`);
    setText(this.train, trainingLabel(running, step, steps));
    const known = !diverged.dense && !diverged.B;
    setText(this.gap, decimal(known ? gap : null));
    setText(this.floor, decimal(known ? floor : null));
  }

  /** Say that the next frame takes a while. */
  wait() {
    setText(this.verdict, "Computing …");
  }

  /** @param {Frame} frame */
  describe(frame) {
    const { steps, frames } = frame.speed;
    setText(this.rates, rateText(steps, "steps/s") + rateText(frames, "frames/s"));
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
