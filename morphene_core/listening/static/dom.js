// Elements without a framework. Text is always text: nothing here takes markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: properties that begin with "on" are listeners, the rest attributes. */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** Make an SVG element. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/** Put children in the place of an element's own. */
export function show(element, ...children) {
  element.replaceChildren(...children.flat(9).filter(isThere));
  return element;
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (value === true) element.setAttribute(name, "");
    else if (isThere(value)) element.setAttribute(name, value);
  }
  element.append(...children.flat(9).filter(isThere));
  return element;
}

function isThere(value) {
  return value !== null && value !== undefined && value !== false;
}

/** Say something for a few seconds at the edge of the page; errors stay until they are closed. */
export function notice(text, kind = "note") {
  const close = h("button", { class: "plain", type: "button", "aria-label": "Close" }, "×");
  const item = h("p", { class: `notice ${kind}` }, h("span", {}, text), close);
  close.addEventListener("click", () => item.remove());
  document.getElementById("notices").append(item);
  if (kind !== "error") setTimeout(() => item.remove(), 6000);
}
