// Charts with their titles, the nodes of all layers, the presets, the link.

import { drawGaps, drawLosses, drawScatter } from "./charts.js";
import { MOVEMENTS } from "./colours.js";
import { button, element, select, setName, setText } from "./elements.js";
import { NodeGrid } from "./nodes.js";
import { decimal, percent } from "./words.js";

/** @typedef {import("./session.js").Frame} Frame */
/** @typedef {{name: string, title: string, text: string, data: any}} Preset */

/** What the scatter shows, by its name in the setting. @type {Record<string, string>} */
const SHOWN = { changes: "changes since the start", weights: "weights" };

/** Charts of gap and floor, of the losses, and of the weights. */
export class Charts {
  /** @param {(scatter: string) => void} show called when the reader wants the other scatter */
  constructor(show) {
    /** @type {Frame | null} */ this.frame = null;
    this.gaps = chartCanvas("gaps");
    this.losses = chartCanvas("losses");
    this.scatter = chartCanvas("scatter");
    this.shown = select(SHOWN, (scatter) => {
      show(scatter);
      if (this.frame) this.draw(this.frame);
    });
    setName(this.shown, "Weights shown");
    this.legend = element("ul", { class: "legend" }, ...MOVEMENTS.map(legendEntry));
    this.note = element("p", { class: "hint" });
    this.gapChart = chart("Gap and noise floor", "share of the plane", this.gaps);
    this.lossChart = chart("Loss of each batch", "nats", this.losses);
    this.scatterChart = element(
      "figure",
      { class: "chart" },
      element("div", { class: "heading" }, element("h2", {}, "Weights of A and B"), this.shown),
      this.scatter,
      this.legend,
      this.note,
    );
    new ResizeObserver(() => this.frame && this.draw(this.frame)).observe(this.gaps);
  }

  /** @param {string} scatter `changes` or `weights` */
  open(scatter) {
    this.shown.value = scatter;
  }

  /** @param {Frame} frame */
  draw(frame) {
    this.frame = frame;
    drawGaps(this.gaps, frame);
    drawLosses(this.losses, frame);
    drawScatter(this.scatter, frame.scatter, this.shown.value);
  }

  /** Say the same in words. @param {Frame} frame */
  describe({ step, gap, floor, losses, scatter, hidden }) {
    setName(this.gaps, `Step ${step}: gap ${decimal(gap)}, noise floor ${decimal(floor)}`);
    const [dense, B] = [losses.dense, losses.B].map(({ values }) => lastText(values));
    setName(this.losses, `Step ${step}: batch loss of dense ${dense}, of B ${B}`);
    const shares = MOVEMENTS.map(({ name }, kind) => {
      const count = scatter.group.reduce((sum, group) => sum + (group === kind ? 1 : 0), 0);
      return `${name} ${percent(count / Math.max(1, scatter.group.length))}`;
    });
    setName(this.scatter, `Weights of A across, of B up: ${shares.join(", ")}`);
    this.legend.querySelectorAll("span").forEach((entry, kind) => setText(entry, shares[kind]));
    setText(this.note, scatterNote(hidden.length));
  }
}

/** The nodes of every hidden layer. */
export class NodePanel {
  /** @param {(kept: number[][]) => void} keep called with the nodes that stay after a press */
  constructor(keep) {
    this.keep = keep;
    /** @type {NodeGrid[]} */ this.grids = [];
    /** @type {number[][]} */ this.kept = [];
    this.element = element("div", { class: "layers" });
  }

  /** @param {number[]} hidden */
  open(hidden) {
    this.grids = hidden.map(
      (count, layer) => new NodeGrid(layer, count, (node) => this.toggle(layer, node)),
    );
    this.element.replaceChildren(...this.grids.map((grid) => grid.element));
  }

  /** @param {Frame} frame @param {number[][]} kept */
  draw({ nodes }, kept) {
    this.kept = kept;
    this.grids.forEach((grid, layer) => grid.draw(nodes[layer], kept[layer]));
  }

  /** Say the same in words. @param {Frame} frame */
  describe({ nodes }) {
    this.grids.forEach((grid, layer) => grid.describe(nodes[layer]));
  }

  /** @param {number} layer @param {number} node */
  toggle(layer, node) {
    if (!this.kept.length) return;
    this.keep(this.kept.map((nodes, k) => (k === layer ? toggled(nodes, node) : nodes)));
  }
}

/**
 * The presets as buttons.
 * @param {Preset[]} presets
 * @param {(preset: Preset) => void} open
 */
export function presetList(presets, open) {
  const items = presets.map((preset) =>
    element(
      "li",
      {},
      button(preset.title, () => open(preset)),
      element("span", {}, preset.text),
    ),
  );
  return element(
    "section",
    { class: "presets", hidden: presets.length === 0 },
    element("h2", {}, "Networks of the report"),
    element("ul", {}, ...items),
  );
}

/**
 * A button that copies the address of what is shown.
 * @param {() => string} link
 */
export function copyButton(link) {
  const note = element("span", { role: "status" });
  const done = () => setText(note, "Copied: it shows what you see now.");
  const failed = () => setText(note, "The link is in the address bar.");
  const copy = async () => navigator.clipboard.writeText(link()).then(done, failed);
  return element(
    "p",
    { class: "share" },
    button("Copy link", () => copy().catch(failed)),
    note,
  );
}

/** @param {number[]} nodes @param {number} node */
function toggled(nodes, node) {
  if (nodes.includes(node)) return nodes.filter((other) => other !== node);
  return [...nodes, node].sort((a, b) => a - b);
}

/** @param {string} name */
function chartCanvas(name) {
  return element("canvas", { class: name, role: "img", "aria-label": name });
}

/** @param {string} title @param {string} unit @param {HTMLCanvasElement} canvas */
function chart(title, unit, canvas) {
  const heading = element("h2", {}, title, element("small", {}, `, ${unit}`));
  return element("figure", { class: "chart" }, heading, canvas);
}

/** @param {{name: string, colour: string}} movement */
function legendEntry({ name, colour }) {
  return element("li", { style: `--swatch: ${colour}` }, element("span", {}, name));
}

/** What the dots of the scatter are. @param {number} layers hidden ones */
function scatterNote(layers) {
  const kernel = layers > 1 ? "from the first to the second layer" : "from the inputs to the layer";
  return `Weights ${kernel}. One of each: unlike in A and B. Dots on the edge lie beyond it.`;
}

/** @param {number[]} values */
function lastText(values) {
  return values.length ? values[values.length - 1].toPrecision(2) : "–";
}
