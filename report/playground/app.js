// The interface: shows what the service sends, asks it for what the reader does.

import { Bar } from "./bar.js";
import { element } from "./elements.js";
import { SquareMaps } from "./maps.js";
import { Charts, copyButton, NodePanel, presetList } from "./panels.js";
import { sameNodes } from "./pruning.js";
import { RemovalForm } from "./removal.js";
import { TrainingForm } from "./settings.js";
import { settingOf } from "./state.js";

/** @typedef {import("./state.js").Setting} Setting */
/** @typedef {import("./session.js").Frame} Frame */
/** @typedef {import("./service.js").Answer} Answer */
/** @typedef {Extract<Answer, {type: "opened"}>} Opened */
/** @typedef {Extract<Answer, {type: "refused"}>} Refusal */
/** @typedef {import("./state.js").Given} Given */
/** @typedef {import("./service.js").Request} Request */
/** @typedef {import("./panels.js").Preset} Preset */
/** @typedef {{setting: Setting, given: Given | null}} Opening */
/**
 * @typedef {Object} Options
 * @property {(handler: (answer: Answer) => void) => {send: (request: Request) => void}} connect
 * @property {Setting} setting the first one
 * @property {Given | null} given networks to open instead of training them
 * @property {Preset[]} presets
 * @property {(setting: Setting) => void} onSetting called at every change
 * @property {string[]} messages to show on top
 * @property {() => string} [link] address of what is shown, where it has one
 */

const SPEECH = 1000; // milliseconds between words while pictures change
const PATIENCE = 400; // milliseconds without a frame until it is said that one is computed

/**
 * Build the playground in an element and open its first setting.
 * @param {Element} root
 * @param {Options} options
 */
export function mount(root, options) {
  const app = new App(options);
  root.classList.add("playground");
  root.replaceChildren(app.element);
  app.open(options.setting, options.given);
  app.show(options.messages);
  return {
    open: (/** @type {Setting} */ setting, /** @type {Given | null} */ given) =>
      app.open(setting, given),
    setting: () => app.setting,
  };
}

/** The whole interface: what it shows last came in a frame, what it wants goes as a request. */
class App {
  /** @param {Options} options */
  constructor({ connect, setting, presets, onSetting, link }) {
    this.setting = setting;
    this.onSetting = onSetting;
    /** @type {number[][] | null} */ this.asked = null; // kept nodes that no frame shows yet
    /** @type {Frame | null} */ this.frame = null; // the last one drawn
    /** @type {Frame | null} */ this.next = null; // the one to draw when the screen is ready
    this.openings = 0; // unanswered: what comes meanwhile belongs to a setting before
    /** @type {Given | null} */ this.given = null;
    /** @type {Opening} */ this.before = { setting, given: null }; // the last request
    this.spoken = -Infinity; // moment of the last words,
    this.going = false; // whether training went on then,
    this.later = 0; // timer of the next ones
    this.patience = 0; // timer of the word that it takes a while
    this.bar = new Bar((request) => {
      this.show([]);
      this.send(request);
    });
    this.removal = new RemovalForm(
      () => this.choose(),
      (compensation) => this.compensate(compensation),
    );
    this.maps = new SquareMaps();
    this.charts = new Charts((scatter) => this.change({ scatter }));
    this.nodes = new NodePanel((kept) => this.keep(kept));
    this.training = new TrainingForm(
      () => this.setting,
      (changed) => this.open(changed, null),
    );
    this.messages = element("div", { class: "messages", role: "status" });
    this.element = element("div", { class: "parts" }, ...this.parts(presets, link));
    this.service = connect((answer) => this.receive(answer));
  }

  /** @param {Preset[]} presets @param {(() => string) | undefined} link */
  parts(presets, link) {
    const { gapChart, lossChart, scatterChart } = this.charts;
    const open = (/** @type {Preset} */ { name, data }) => this.open(settingOf(data, name), data);
    return [
      this.messages,
      this.bar.element,
      this.removal.element,
      element("div", { class: "first" }, this.maps.element, gapChart, scatterChart),
      element("div", { class: "second" }, this.nodes.element, lossChart),
      this.training.element,
      presetList(presets, open),
      ...(link ? [copyButton(link)] : []),
    ];
  }

  /** @param {Request} request */
  send(request) {
    this.service.send(request);
  }

  /**
   * Send a request that changes the setting.
   * @param {Request} request
   * @param {Partial<Setting>} change
   */
  ask(request, change) {
    this.before = { setting: this.setting, given: this.given };
    this.show([]);
    this.change(change);
    this.send(request);
    this.await();
  }

  /** Say so if the frame that shows the answer takes a while, and say at once what it shows. */
  await() {
    clearTimeout(this.later);
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.bar.wait(), PATIENCE);
    this.spoken = -Infinity;
  }

  /** @param {Partial<Setting>} change */
  change(change) {
    this.setting = { ...this.setting, ...change };
    this.onSetting(this.setting);
  }

  /**
   * Begin with another setting; `given` networks are opened as they are.
   * @param {Setting} setting
   * @param {Given | null} given
   */
  open(setting, given) {
    this.openings++;
    this.ask({ type: "open", setting, given }, setting);
    this.present(given);
  }

  /** Bring all forms in step with the setting. @param {Given | null} given */
  present(given) {
    this.given = given;
    this.asked = null;
    this.charts.open(this.setting.scatter);
    this.removal.open(this.setting, given?.kept);
    this.training.open(this.setting, given === null || this.setting.preset !== null);
  }

  choose() {
    const { wish } = this.removal;
    this.asked = null;
    this.ask({ type: "choose", ...wish }, wish);
  }

  /** @param {number[][]} kept */
  keep(kept) {
    if (this.openings) return; // the nodes shown are not those of the setting to come
    if (kept.some((nodes) => nodes.length === 0)) {
      return this.show(["At least one node of each layer has to stay."]);
    }
    this.asked = kept;
    this.ask({ type: "keep", kept }, { kept, chosenAt: null });
    if (this.frame) this.nodes.draw(this.frame, kept);
  }

  /** @param {string} compensation */
  compensate(compensation) {
    this.ask({ type: "compensate", compensation }, { compensation });
  }

  /** @param {Answer} answer */
  receive(answer) {
    if (answer.type === "refused") this.refuse(answer);
    if (answer.type === "opened") this.begin(answer);
    if (answer.type === "frame") this.expect(answer);
  }

  /** The next frame is computed while this one is drawn; of several the newest. @param {Frame} frame */
  expect(frame) {
    this.send({ type: "shown" });
    if (!this.next) requestAnimationFrame(() => this.draw());
    this.next = frame;
  }

  /** All stays as it was before the request. @param {Refusal} refusal */
  refuse({ of, message }) {
    if (of === "open") this.openings--;
    clearTimeout(this.patience);
    if (!this.openings) {
      this.change(this.before.setting);
      this.present(this.before.given);
    }
    this.show([message]);
  }

  /** @param {Opened} opened */
  begin({ problem, widths }) {
    this.openings--;
    [this.frame, this.next] = [null, null];
    this.spoken = -Infinity;
    clearTimeout(this.later);
    this.maps.open(problem);
    this.nodes.open(widths.slice(1, -1));
  }

  draw() {
    const frame = this.next;
    this.next = null;
    if (!frame || this.openings) return; // of a setting before
    clearTimeout(this.patience);
    if (this.asked && sameNodes(this.asked, frame.kept)) this.asked = null;
    this.bar.draw(frame);
    this.removal.draw(frame);
    this.maps.draw(frame);
    this.charts.draw(frame);
    this.nodes.draw(frame, this.asked ?? frame.kept);
    this.speak(frame);
    this.frame = frame;
    const chosen = this.asked ? {} : { kept: frame.kept, chosenAt: frame.chosenAt };
    // trained anew, a network is no longer that of the preset
    const preset = frame.step < frame.steps ? null : this.setting.preset;
    const step = frame.running ? frame.step : frame.target; // of a link still on its way: its goal
    this.change({ step, preset, ...chosen });
  }

  /** Words change once a second, at once where training begins or ends. @param {Frame} frame */
  speak(frame) {
    clearTimeout(this.later);
    const going = frame.running || frame.behind < frame.step;
    const wait = going === this.going ? this.spoken + SPEECH - performance.now() : 0;
    this.later = setTimeout(() => this.say(frame), wait);
    this.going = going;
  }

  /** @param {Frame} frame */
  say(frame) {
    this.spoken = performance.now();
    for (const part of [this.bar, this.charts, this.nodes]) {
      part.describe(frame);
    }
  }

  /** @param {string[]} messages */
  show(messages) {
    this.messages.replaceChildren(...messages.map((text) => element("p", {}, text)));
  }
}
