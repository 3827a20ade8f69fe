// The nodes of one hidden layer as small maps: press one to remove it or to bring it back.

import { element, setName, setText } from "./elements.js";
import { layerName } from "./words.js";

/** @typedef {import("./frames.js").NodeView} NodeView */

const SIDE = 25; // pixels of a node's map
const HOW = "Press to remove or bring back. Dark: fires; dashed: dead, 0 at every training point.";
const MOVES = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (/** @type {number} */ columns) => -columns,
  ArrowDown: (/** @type {number} */ columns) => columns,
  Home: () => -Infinity,
  End: () => Infinity,
};

/** The maps of a layer's nodes as buttons, of which the keyboard reaches one and arrows the others. */
export class NodeGrid {
  /**
   * @param {number} layer counted from 0
   * @param {number} count nodes
   * @param {(node: number) => void} toggle called with the node that was pressed
   */
  constructor(layer, count, toggle) {
    /** @type {Element | null} */ this.pointed = null;
    this.images = Array.from({ length: count }, () => new ImageData(SIDE, SIDE));
    this.buttons = this.images.map((_, node) => nodeButton(node, () => toggle(node)));
    this.buttons[0].tabIndex = 0;
    this.count = element("small");
    const title = element("h2", {}, `Nodes of the ${layerName(layer)}`, this.count);
    this.hint = element("p", { class: "hint" }, HOW);
    this.grid = element(
      "div",
      {
        role: "toolbar",
        class: "nodes",
        "aria-label": `Nodes of the ${layerName(layer)}; pressed ones are removed`,
        keydown: (event) => this.move(event),
      },
      ...this.buttons,
    );
    this.element = element("section", { class: "layer" }, title, this.grid, this.hint);
    for (const name of ["focusin", "pointerover"]) {
      this.grid.addEventListener(name, ({ target }) => this.point(target));
    }
  }

  /**
   * Show what the nodes give and which of them stay.
   * @param {NodeView[]} nodes
   * @param {number[]} kept
   */
  draw(nodes, kept) {
    const stays = new Set(kept);
    this.buttons.forEach((button, node) => {
      const context = button.querySelector("canvas")?.getContext("2d");
      this.images[node].data.set(nodes[node].image);
      context?.putImageData(this.images[node], 0, 0);
      setPressed(button, !stays.has(node));
    });
    setText(this.count, `, ${nodes.length - kept.length} of ${nodes.length} removed`);
    this.point(null);
  }

  /** Say what the nodes give in words. @param {NodeView[]} nodes */
  describe(nodes) {
    nodes.forEach(({ deviation, dead }, node) => {
      const state = dead ? "dead" : `std ${deviation.toPrecision(2)}`;
      setName(this.buttons[node], `Node ${node}, ${state}`);
      this.buttons[node].classList.toggle("dead", dead);
    });
    this.point(null);
  }

  /** Say below the maps which node is pointed at. @param {EventTarget | null} target */
  point(target) {
    this.pointed = (target instanceof Element && target.closest("button")) || this.pointed;
    if (!this.pointed) return;
    const state = this.pointed.getAttribute("aria-pressed") === "true" ? "removed" : "stays";
    setText(this.hint, `${this.pointed.getAttribute("aria-label")}: ${state}`);
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    const step = MOVES[/** @type {keyof typeof MOVES} */ (event.key)]?.(this.columns());
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // a notebook has its own use for arrows
    const from = this.buttons.findIndex((button) => button.tabIndex === 0);
    const to = Math.min(Math.max(from + step, 0), this.buttons.length - 1);
    this.buttons[from].tabIndex = -1;
    this.buttons[to].tabIndex = 0;
    this.buttons[to].focus();
  }

  columns() {
    const top = this.buttons[0].offsetTop;
    const next = this.buttons.findIndex((button) => button.offsetTop > top);
    return next < 0 ? this.buttons.length : next;
  }
}

/** @param {number} node @param {() => void} act */
function nodeButton(node, act) {
  const canvas = element("canvas", { width: SIDE, height: SIDE });
  const name = `Node ${node}`;
  return element(
    "button",
    { type: "button", tabindex: -1, "aria-label": name, click: act },
    canvas,
  );
}

/** @param {Element} button @param {boolean} pressed */
function setPressed(button, pressed) {
  const text = String(pressed);
  if (button.getAttribute("aria-pressed") !== text) button.setAttribute("aria-pressed", text);
}
