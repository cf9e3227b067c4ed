"use strict";
// Elements of the page. Text goes in as text alone, and styles by the object model: the policy of
// the page lets no style attribute and no markup of data in.

/** An HTML element. Attributes that are null, undefined or false are left out. */
function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An SVG element. */
function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const stored = (id) => JSON.parse(document.getElementById(id).textContent);

/** A button that runs something. */
function button(text, attributes, run) {
  const node = element("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", run);
  return node;
}

const pen = document.createElement("canvas").getContext("2d");

/** The width of a text in a chart, in px. */
function textWidth(text) {
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

/** The text, or as much of its start as fits. */
function clipped(text, width) {
  if (textWidth(text) <= width) return text;
  let end = text.length;
  while (end > 1 && textWidth(text.slice(0, end).trimEnd() + "…") > width) end -= 1;
  return text.slice(0, end).trimEnd() + "…";
}

/** The symbols of series beside their names, which colours alone would not tell to everyone. */
function legend(entries) {
  const items = entries.map(({ name, symbol }) => element("li", {}, symbol, name));
  return element("ul", { class: "legend" }, items);
}

function swatch(name) {
  return drawing(
    "svg",
    { class: "swatch", viewBox: "0 0 14 14", "aria-hidden": "true" },
    drawing("rect", { class: name, x: 1, y: 1, width: 12, height: 12, rx: 2 }),
  );
}
