// Colours, the same as in the study's figures (`helpers.plots`).

/** The corners of the square and the noise floor (Okabe and Ito). */
export const CORNERS = { dense: "#222222", A: "#D55E00", B: "#0072B2", floor: "#009E73" };

/** How a weight of A and of B moved, in drawing order, the rarest on top. */
export const MOVEMENTS = [
  { name: "trained", colour: "#C8C8C8" },
  { name: "one of each", colour: "#DDAA33" },
  { name: "coasted", colour: "#AA3377" },
  { name: "never updated", colour: "#332288" },
];

const TWO_CLASSES = ["#762A83", "#1B7837"];
const MORE_CLASSES = [
  ...["#0072B2", "#D55E00", "#009E73", "#CC79A7"],
  ...["#E69F00", "#56B4E9", "#F0E442", "#000000"],
];

/**
 * The colours of the classes, which come again where there are many.
 * @param {number} classes
 */
export function classColours(classes) {
  const colours = classes === 2 ? TWO_CLASSES : MORE_CLASSES;
  return Array.from({ length: classes }, (_, k) => colours[k % colours.length]);
}
