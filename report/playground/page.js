// Entry of the site's page: its address, its presets, its service.

import { mount } from "./app.js";
import { connect } from "./connection.js";
import { decode } from "./given.js";
import { read, settingOf, write } from "./state.js";

/** @typedef {import("./panels.js").Preset} Preset */
/** @typedef {import("./state.js").Setting} Setting */

const PAUSE = 500; // milliseconds between two writings of the address: browsers refuse too many

const script = document.currentScript;
const base = script instanceof HTMLScriptElement ? script.src : document.baseURI;
const root = document.querySelector("#playground");
if (root) start(root);

/** @param {Element} root */
function start(root) {
  const { presets, messages } = readPresets();
  const settings = Object.fromEntries(
    presets.map(({ name, data }) => [name, settingOf(data, name)]),
  );
  const first = read(location.search, settings);
  const address = addressWriter((setting) => write(plain(setting), settings));
  mount(root, {
    connect: (handler) => connect(new URL("worker.js", base).href, handler),
    setting: first.setting,
    given: presets.find(({ name }) => name === first.setting.preset)?.data ?? null,
    presets,
    onSetting: address.put,
    messages: [...messages, ...first.messages],
    link: () => address.now(),
  });
}

/** The presets that the page carries; one that cannot be read is named, the others stay. */
function readPresets() {
  /** @type {Preset[]} */ const presets = [];
  /** @type {string[]} */ const messages = [];
  for (const block of document.querySelectorAll("script.playground-preset")) {
    const { name = "", text = "" } = /** @type {HTMLScriptElement} */ (block).dataset;
    try {
      const data = JSON.parse(block.textContent ?? "");
      decode(data);
      presets.push({ name, title: data.title, text, data });
    } catch (error) {
      messages.push(`The preset ${name} cannot be read and is left out. ${error}`);
    }
  }
  return { presets, messages };
}

/** Without the nodes that opening the page would choose again. @param {Setting} setting */
function plain(setting) {
  const fresh = setting.preset === null && setting.step === 0 && setting.chosenAt === 0;
  return fresh ? { ...setting, kept: null, chosenAt: null } : setting;
}

/** Keeps the address in step with the setting. @param {(setting: Setting) => string} textOf */
function addressWriter(textOf) {
  /** @type {Setting | null} */ let latest = null;
  let timer = 0;
  const now = () => (latest ? pageAddress(textOf(latest)) : location.href);
  const rewrite = () => {
    timer = 0;
    history.replaceState(null, "", now());
  };
  const put = (/** @type {Setting} */ setting) => {
    latest = setting;
    timer ||= setTimeout(rewrite, PAUSE);
  };
  return { put, now };
}

/** @param {string} query */
function pageAddress(query) {
  const address = new URL(location.href);
  address.search = query;
  return address.href;
}
