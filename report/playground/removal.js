// The choice of the nodes to remove, and what makes up for them.

import { button, element, labelled, select, setText } from "./elements.js";
import { CHOICES, LIMITS } from "./keys.js";
import { layerName, meaning, removal } from "./words.js";

/** @typedef {import("./state.js").Setting} Setting */
/** @typedef {import("./session.js").Frame} Frame */

/** The form of what goes; what it says is asked for at every change. */
export class RemovalForm {
  /**
   * @param {() => void} choose
   * @param {(compensation: string) => void} compensate
   */
  constructor(choose, compensate) {
    this.choose = choose;
    /** @type {number[][] | undefined} */ this.given = undefined;
    this.criterion = select(CHOICES.criterion, choose);
    this.fraction = element("input", {
      type: "range",
      min: 0,
      max: 0.99,
      step: 0.01,
      change: choose,
    });
    this.share = element("output");
    this.layers = element("span", { class: "boxes", role: "group", "aria-label": "Layers" });
    this.compensation = select(CHOICES.compensation, compensate);
    this.chosen = element("p", { class: "chosen" });
    this.meaning = element("p", { class: "hint" });
    this.element = element(
      "fieldset",
      { class: "removal", input: () => this.tell() },
      element("legend", {}, "Nodes to remove"),
      labelled("Criterion", this.criterion),
      labelled("Fraction", element("span", { class: "slider" }, this.fraction, this.share)),
      this.layers,
      labelled("Compensation", this.compensation),
      button("Choose again", choose),
      this.chosen,
      this.meaning,
    );
  }

  /**
   * Show a setting, and remember the nodes that came with given networks.
   * @param {Setting} setting
   * @param {number[][] | undefined} given
   */
  open({ criterion, fraction, layers, compensation, hidden }, given) {
    this.given = given;
    this.criterion.value = criterion;
    this.fraction.value = String(fraction);
    this.compensation.value = compensation;
    const boxes = hidden.map((_, layer) => layerBox(layer, layers.includes(layer), this.choose));
    this.layers.replaceChildren(...boxes);
    this.tell();
  }

  /** What the form asks for. */
  get wish() {
    const boxes = [...this.layers.querySelectorAll("input")];
    return {
      criterion: this.criterion.value,
      fraction: Math.min(Number(this.fraction.value), LIMITS.fraction[1]),
      layers: boxes.flatMap((box, layer) => (box.checked ? layer : [])),
    };
  }

  /** @param {Frame} frame */
  draw(frame) {
    setText(this.chosen, removal(frame, this.criterion.value, this.given));
  }

  tell() {
    setText(this.share, Number(this.fraction.value).toFixed(2));
    setText(this.meaning, meaning(this.criterion.value, this.compensation.value));
  }
}

/** @param {number} layer @param {boolean} checked @param {() => void} act */
function layerBox(layer, checked, act) {
  const box = element("input", { type: "checkbox", checked, change: act });
  return element("label", {}, box, layerName(layer));
}
