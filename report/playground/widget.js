// Entry of the notebook's widget, `helpers.explorer.Explorer`: a square from Python, nodes back.

import { mount } from "./app.js";
import { connect } from "./connection.js";
import { element, labelled, select } from "./elements.js";
import { settingOf } from "./state.js";

/**
 * What Python and this view share, by the names of the traits.
 * @typedef {{get: (name: string) => any, set: (name: string, value: any) => void,
 *   save_changes: () => void, on: (event: string, act: () => void) => void,
 *   off: (event: string, act: () => void) => void}} Model
 */

/**
 * Show the playground on the networks that Python gives, and give back the nodes that stay.
 * @param {{model: Model, el: HTMLElement}} view
 * @returns {() => void} what is to be done when the view goes
 */
export function render({ model, el }) {
  const root = element("div", { keydown: keepKey });
  const playground = element("div");
  const seeds = seedMenu(model);
  root.append(labelled("Network of seed ", seeds), playground);
  el.append(root);
  const script = new Blob([model.get("_worker")], { type: "text/javascript" });
  const address = URL.createObjectURL(script);
  const given = () => model.get("given");
  /** @type {ReturnType<typeof connect> | undefined} */ let service;
  const app = mount(playground, {
    connect: (handler) => (service = connect(address, handler)),
    setting: settingOf(given()),
    given: given(),
    presets: [],
    onSetting: ({ kept }) => kept && share(model, "_kept", kept),
    messages: [],
  });
  const open = () => {
    seeds.value = String(model.get("seed"));
    app.open(settingOf(given()), given());
  };
  model.on("change:given", open);
  return () => {
    model.off("change:given", open);
    service?.close();
    URL.revokeObjectURL(address);
  };
}

/** Single keys are for the controls: a notebook would delete a cell at d, d. @param {KeyboardEvent} event */
function keepKey(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

/** A menu of the square's networks. @param {Model} model */
function seedMenu(model) {
  const seeds = model.get("seeds").map(String);
  const menu = select(seeds, (name) => share(model, "seed", Number(name)));
  menu.value = String(model.get("seed"));
  return menu;
}

/** @param {Model} model @param {string} name @param {any} value */
function share(model, name, value) {
  if (JSON.stringify(value) === JSON.stringify(model.get(name))) return;
  model.set(name, value);
  model.save_changes();
}
