// Elements of the page, made without markup in strings.

/** @typedef {string | number | boolean | ((event: any) => void)} Attribute */

/**
 * A new element; false leaves an attribute out, a function listens to the event of that name.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, Attribute>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false) made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/**
 * A button that acts when pressed.
 * @param {string} text
 * @param {() => void} act
 */
export function button(text, act) {
  return element("button", { type: "button", click: act }, text);
}

/**
 * A choice among names, shown as they are or in other words.
 * @param {string[] | Record<string, string>} names
 * @param {(name: string) => void} act
 */
export function select(names, act) {
  const shown = Array.isArray(names) ? names.map((name) => [name, name]) : Object.entries(names);
  const options = shown.map(([name, words]) => element("option", { value: name }, words));
  return element("select", { change: (event) => act(event.target.value) }, ...options);
}

/**
 * Controls under their name.
 * @param {string} text
 * @param {(Node | string)[]} controls
 */
export function labelled(text, ...controls) {
  return element("label", {}, element("span", {}, text), ...controls);
}

/**
 * Give an element its text, touching the page only for a new one.
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Name an element for those who do not see it.
 * @param {Element} target
 * @param {string} text
 */
export function setName(target, text) {
  if (target.getAttribute("aria-label") !== text) target.setAttribute("aria-label", text);
}
