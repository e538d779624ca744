// Elements for the views; text is set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a child may be a string, null is left out. */
function make(name, attributes = {}, ...children) {
  const el = document.createElement(name);
  return fill(el, attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(el, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) el.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) el.setAttribute(key, String(value));
  }
  el.append(...children.filter((child) => child !== null));
  return el;
}
