// Making elements. Whatever text comes from a trace gets into the page here, as text, and in no other
// way.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, set] of Object.entries(value)) element.style.setProperty(key, set);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function clear(element) {
  element.replaceChildren();
  return element;
}

// A section of the page with its heading.
export function section(id, title, ...children) {
  return make("section", { id, "aria-labelledby": `${id}-title` }, make("h2", { id: `${id}-title` }, title), ...children);
}

export function button(text, onclick, attributes) {
  return make("button", { type: "button", onclick, ...attributes }, text);
}

let numbers = 0;
export function labelled(label, control) {
  control.id ||= `control-${++numbers}`;
  return make("span", { class: "control" }, make("label", { for: control.id }, label), control);
}

export function choice(label, options, onchange) {
  const select = make("select", { onchange: () => onchange(select.value) });
  for (const [value, text] of options) select.append(make("option", { value }, text));
  return labelled(label, select);
}

export function check(label, checked, onchange) {
  const box = make("input", { type: "checkbox", checked, onchange: () => onchange(box.checked) });
  return make("label", { class: "check" }, box, label);
}

// Calls `later` once things have been quiet for a moment.
export function calm(later, milliseconds = 120) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => later(...values), milliseconds);
  };
}

export function isNarrow() {
  return matchMedia("(max-width: 720px)").matches;
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
