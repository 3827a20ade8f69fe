// Charts on canvases: gap and floor, losses, weights of A and B. White ground, labels at the lines.

import { CORNERS, MOVEMENTS } from "./colours.js";
import { EVERY } from "./square.js";

/** @typedef {import("./session.js").Frame} Frame */
/** @typedef {import("./movement.js").Scatter} Scatter */
/** @typedef {{context: CanvasRenderingContext2D, width: number, height: number}} Sheet in pixels of the page */
/** @typedef {(value: number) => number} Scale from a value to its place */
/** @typedef {{name: string, colour: string, steps: number[], values: (number | null)[]}} Line */
/** @typedef {{x: Scale, y: Scale, left: number, right: number, top: number, bottom: number}} Plot */

const [INK, GRID] = ["#333333", "#E4E4E4"];
const COAST = MOVEMENTS[2].colour;
const FONT_SIZE = 12;
const MARGIN = { left: 40, top: 10, bottom: 24 };
const BESIDE = { left: 52, right: 44 }; // room for the labels of the weights
const SHOWN = 0.9; // share of the weights within the axes, the others lie at the edge
const COASTS = 3; // that the axes reach at least
const LOSS_TICKS = [
  { value: 1e-4, text: "10⁻⁴" }, // losses below lie on the axis
  { value: 1e-2, text: "0.01" },
  { value: 1, text: "1" },
];
const NICE = [1, 2, 3, 4, 6, 8, 10]; // with short halves, too

/**
 * Draw gap and noise floor over the steps.
 * @param {HTMLCanvasElement} canvas
 * @param {Frame} frame
 */
export function drawGaps(canvas, { gaps, steps }) {
  const values = [...gaps.gap, ...gaps.floor.map(Number)];
  const top = Math.min(1, nice(Math.max(0.1, ...values)));
  const ticks = [0, top / 2, top].map((value) => ({ value, text: trimmed(value) }));
  const sheet = cleared(canvas);
  const lines = [
    { name: "gap A–B", colour: CORNERS.A, steps: gaps.steps, values: gaps.gap },
    { name: "noise floor", colour: CORNERS.floor, steps: gaps.steps, values: gaps.floor },
  ];
  drawLines(sheet, framed(sheet, steps, ticks, linear, lines), lines);
}

/**
 * Draw the losses of the batches over the steps, on a logarithmic scale.
 * @param {HTMLCanvasElement} canvas
 * @param {Frame} frame
 */
export function drawLosses(canvas, { losses, steps, step }) {
  const sheet = cleared(canvas);
  const lines = [
    { name: "dense", colour: CORNERS.dense, ...losses.dense },
    { name: "B", colour: CORNERS.B, ...losses.B },
  ];
  const plot = framed(sheet, steps, LOSS_TICKS, logarithmic, lines);
  drawLines(sheet, plot, lines);
  if (step > 0 && lines.every(({ values }) => values.length === 0)) {
    label(sheet, "trained elsewhere", (plot.left + plot.right) / 2, plot.bottom / 2, "center");
  }
}

/**
 * Scatter one kernel of A and B: its changes since the start, or its weights.
 * @param {HTMLCanvasElement} canvas
 * @param {Scatter} scatter
 * @param {string} shown `changes` or `weights`
 */
export function drawScatter(canvas, scatter, shown) {
  const sheet = cleared(canvas);
  const { a, b, start, group } = scatter;
  const changes = shown === "changes";
  const across = changes ? a.map((value, k) => value - start[k]) : a;
  const up = changes ? b.map((value, k) => value - start[k]) : b;
  const coast = changes ? scatter.coast : null;
  const reach = nice(Math.max(COASTS * (coast ?? 0), extent(across), extent(up), 0.1));
  const plot = squared(sheet, reach, shown);
  const clamped = (/** @type {number} */ value) => Math.min(Math.max(value, -reach), reach);
  if (coast !== null) drawCoast(sheet, plot, coast);
  MOVEMENTS.forEach(({ colour }, kind) => {
    sheet.context.fillStyle = colour;
    for (let k = 0; k < group.length; k++) {
      if (group[k] === kind) dot(sheet, plot.x(clamped(across[k])), plot.y(clamped(up[k])));
    }
  });
}

/** The canvas as a white sheet with as many pixels as the screen has. @param {HTMLCanvasElement} canvas @returns {Sheet} */
function cleared(canvas) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const ratio = window.devicePixelRatio;
  const sizes = [width, height].map((size) => Math.round(size * ratio));
  if (canvas.width !== sizes[0] || canvas.height !== sizes[1])
    [canvas.width, canvas.height] = sizes;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = "#FFFFFF";
  context.fillRect(0, 0, width, height);
  context.font = `${FONT_SIZE}px ${getComputedStyle(canvas).fontFamily}`;
  return { context, width, height };
}

/**
 * Axes with the steps across.
 * @param {Sheet} sheet @param {number} steps @param {{value: number, text: string}[]} ticks
 * @param {(from: number, to: number, low: number, high: number) => Scale} scale of the values
 * @param {Line[]} lines whose names need room on the right
 * @returns {Plot}
 */
function framed(sheet, steps, ticks, scale, lines) {
  const { left, top } = MARGIN;
  const room = 10 + Math.max(...lines.map(({ name }) => sheet.context.measureText(name).width));
  const [right, bottom] = [sheet.width - room, sheet.height - MARGIN.bottom];
  const x = linear(0, steps, left, right);
  const y = scale(ticks[0].value, ticks[ticks.length - 1].value, bottom, top);
  for (const { value, text } of ticks) {
    rule(sheet, left, y(value), right, y(value), GRID);
    label(sheet, text, left - 6, y(value), "right");
  }
  for (const step of [0, steps]) label(sheet, String(step), x(step), bottom + 11, "center");
  label(sheet, "step", (left + right) / 2, bottom + 11, "center");
  return { x, y, left, right, top, bottom };
}

/** A square plot around zero, A across and B up. @param {Sheet} sheet @param {number} reach @param {string} what @returns {Plot} */
function squared(sheet, reach, what) {
  const size = Math.min(sheet.width - BESIDE.left - BESIDE.right, sheet.height - 46);
  const left = (sheet.width - size + BESIDE.left - BESIDE.right) / 2;
  const [right, top, bottom] = [left + size, MARGIN.top, MARGIN.top + size];
  const [x, y] = [linear(-reach, reach, left, right), linear(-reach, reach, bottom, top)];
  rule(sheet, left, y(0), right, y(0), GRID);
  rule(sheet, x(0), top, x(0), bottom, GRID);
  for (const value of [-reach, 0, reach]) {
    label(sheet, trimmed(value), x(value), bottom + 12, "center");
    label(sheet, trimmed(value), left - 6, y(value), "right");
  }
  label(sheet, `${what} in A`, (left + right) / 2, bottom + 28, "center", CORNERS.A);
  sideways(sheet, `${what} in B`, left - 38, (top + bottom) / 2, CORNERS.B);
  return { x, y, left, right, top, bottom };
}

/** Lines where a weight lies that coasted, in A or in B. @param {Sheet} sheet @param {Plot} plot @param {number} coast */
function drawCoast(sheet, plot, coast) {
  sheet.context.setLineDash([1, 3]);
  for (const value of [-coast, coast]) {
    rule(sheet, plot.x(value), plot.top, plot.x(value), plot.bottom, COAST);
    rule(sheet, plot.left, plot.y(value), plot.right, plot.y(value), COAST);
  }
  sheet.context.setLineDash([]);
  const text = coast.toPrecision(2);
  const near = plot.y(-coast) - plot.y(coast) < FONT_SIZE + 2;
  const labels = near ? { [`±${text}`]: 0 } : { [text]: coast, [`−${text}`]: -coast };
  for (const [name, value] of Object.entries(labels)) {
    label(sheet, name, plot.right + 4, plot.y(value), "left", COAST);
  }
}

/** @param {Sheet} sheet @param {Plot} plot @param {Line[]} lines */
function drawLines(sheet, plot, lines) {
  for (const line of lines) trace(sheet.context, plot, line);
  const ends = lines.filter(({ values }) => values.length && values[values.length - 1] !== null);
  const heights = ends.map(({ values }) => plot.y(Number(values[values.length - 1])));
  const places = apart(heights, FONT_SIZE + 2, plot);
  ends.forEach(({ name, colour, steps }, k) => {
    label(sheet, name, plot.x(steps[steps.length - 1]) + 6, places[k], "left", colour);
  });
}

/** A line that ends in a dot, open where steps are missing. @param {CanvasRenderingContext2D} context @param {Plot} plot @param {Line} line */
function trace(context, plot, { colour, steps, values }) {
  context.beginPath();
  values.forEach((value, k) => {
    if (value === null) return;
    const [x, y] = [plot.x(steps[k]), plot.y(value)];
    if (k > 0 && steps[k] - steps[k - 1] > EVERY) context.moveTo(x, y);
    context.lineTo(x, y);
    if (k === values.length - 1) context.arc(x, y, 1, 0, 2 * Math.PI);
  });
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.lineCap = "round";
  context.stroke();
}

/** Heights moved until two labels have room. @param {number[]} heights @param {number} room @param {Plot} plot */
function apart(heights, room, { top, bottom }) {
  if (heights.length < 2 || Math.abs(heights[0] - heights[1]) >= room) return heights;
  const middle = (heights[0] + heights[1]) / 2;
  const centre = Math.min(Math.max(middle, top + room / 2), bottom - room / 2);
  const upper = heights[0] <= heights[1] ? 0 : 1;
  return heights.map((_, k) => centre + (k === upper ? -room / 2 : room / 2));
}

/** @param {Sheet} sheet @param {number} x @param {number} y @param {number} toX @param {number} toY @param {string} colour */
function rule({ context }, x, y, toX, toY, colour) {
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(toX, toY);
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.stroke();
}

/** @param {Sheet} sheet @param {string} text @param {number} x @param {number} y @param {CanvasTextAlign} align */
function label({ context }, text, x, y, align, colour = INK) {
  context.fillStyle = colour;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.fillText(text, x, y);
}

/** @param {Sheet} sheet @param {string} text @param {number} x @param {number} y @param {string} colour */
function sideways(sheet, text, x, y, colour) {
  sheet.context.save();
  sheet.context.translate(x, y);
  sheet.context.rotate(-Math.PI / 2);
  label(sheet, text, 0, 0, "center", colour);
  sheet.context.restore();
}

/** @param {Sheet} sheet @param {number} x @param {number} y */
function dot({ context }, x, y) {
  context.fillRect(x - 1.25, y - 1.25, 2.5, 2.5);
}

/** @param {number} from @param {number} to @param {number} low @param {number} high @returns {Scale} */
function linear(from, to, low, high) {
  return (value) => low + ((value - from) / (to - from)) * (high - low);
}

/** @param {number} from @param {number} to @param {number} low @param {number} high @returns {Scale} */
function logarithmic(from, to, low, high) {
  const place = linear(Math.log(from), Math.log(to), low, high);
  return (value) => place(Math.log(Math.min(Math.max(value, from), 2 * to)));
}

/** @param {Float32Array} values */
function extent(values) {
  const sizes = values.map(Math.abs).sort();
  return sizes[Math.floor(SHOWN * (sizes.length - 1))] || 0;
}

/** The next round number above, so that axes rarely change. @param {number} value */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return Number(
    ((NICE.find((round) => round * power >= value * 0.9999) ?? 10) * power).toPrecision(3),
  );
}

/** @param {number} value */
function trimmed(value) {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}
