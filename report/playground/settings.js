// What is trained, and how: a form that begins anew at every change.

import { element, labelled, select, setText } from "./elements.js";
import { CHOICES } from "./keys.js";
import { retrained, textOf, TRAINING_KEYS } from "./state.js";

/** @typedef {import("./state.js").Setting} Setting */

/** @type {Record<string, string>} */
const NAMES = {
  problem: "Problem",
  noise: "Noise",
  data_seed: "Data seed",
  hidden: "Hidden widths",
  seed: "Seed",
  optimiser: "Optimiser",
  learning_rate: "Learning rate",
  batch_size: "Batch size",
  steps: "Steps",
};

/** The form of the problem, the network and its training. */
export class TrainingForm {
  /**
   * @param {() => Setting} current the setting to change
   * @param {(setting: Setting) => void} open called with every setting that fits
   */
  constructor(current, open) {
    this.current = current;
    this.openAnew = open;
    this.controls = TRAINING_KEYS.map((name) => this.control(name));
    this.message = element("p", { class: "unfit", role: "alert" });
    this.element = element(
      "fieldset",
      { class: "training" },
      element("legend", {}, "Problem, network and training"),
      ...this.controls.map((control, k) => labelled(NAMES[TRAINING_KEYS[k]], control)),
      this.message,
    );
  }

  /**
   * Show a setting; that of networks trained elsewhere stays as it is.
   * @param {Setting} setting
   * @param {boolean} free
   */
  open(setting, free) {
    this.element.disabled = !free;
    this.controls.forEach((control, k) => {
      const text = textOf(setting, TRAINING_KEYS[k]);
      if (control instanceof HTMLSelectElement) allow(control, text);
      control.value = text;
      control.removeAttribute("aria-invalid");
    });
    setText(this.message, "");
  }

  /** @param {string} name @returns {HTMLInputElement | HTMLSelectElement} */
  control(name) {
    const act = (/** @type {string} */ text) => this.change(name, text.trim());
    const names = Object.entries(CHOICES).find(([choice]) => choice === name)?.[1];
    if (names) return select(names, act);
    return element("input", {
      inputmode: name === "hidden" ? "text" : "decimal",
      autocomplete: "off",
      spellcheck: "false",
      change: (event) => act(event.target.value),
    });
  }

  /** @param {string} name @param {string} text */
  change(name, text) {
    const changed = retrained(this.current(), name, text);
    if ("setting" in changed) return this.openAnew(changed.setting);
    this.controls[TRAINING_KEYS.indexOf(name)].setAttribute("aria-invalid", "true");
    setText(this.message, `${NAMES[name]}: ${changed.message}`);
  }
}

/** Let a choice show a name of its own. @param {HTMLSelectElement} choice @param {string} name */
function allow(choice, name) {
  if ([...choice.options].some(({ value }) => value === name)) return;
  choice.append(element("option", { value: name }, name));
}
