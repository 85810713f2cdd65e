// The keyboard: what each key does on a page, and the list of it that "?" shows.

import { h } from "./dom.js";

const bound = [];
const dialog = h("dialog", { class: "keys", "aria-label": "Keyboard" });

/** Bind keys on this page. A binding: keys (as KeyboardEvent.key has them), label, text, run. */
export function bind(bindings) {
  bound.push(...bindings);
}

export function start() {
  document.body.append(dialog);
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", letGo);
  document.addEventListener("change", letGo);
  document.getElementById("show-keys").addEventListener("click", toggleList);
  bind([{ keys: ["?"], label: "?", text: "Show or hide this list", run: toggleList }]);
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const focused = document.activeElement;
  if (event.key === "Escape" && isText(focused)) return focused.blur();
  if (isText(focused) || belongsTo(focused, event.key)) return;
  const binding = bound.find(({ keys }) => keys.includes(event.key));
  if (!binding || (dialog.open && binding.keys[0] !== "?")) return;
  event.preventDefault();
  binding.run(event.key, event);
}

// A control that was reached by Tab keeps the keys that browsers give it.
function belongsTo(element, key) {
  if (element.matches("button, a, summary")) return key === " " || key === "Enter";
  if (element.matches("input, select")) return key === " " || key.startsWith("Arrow") || key === "Enter";
  return false;
}

// A control that was clicked does not: the space bar goes on to play and pause.
function letGo(event) {
  const byPointer = event.type === "click" ? event.detail > 0 : !document.querySelector(":focus-visible");
  const focused = document.activeElement;
  if (byPointer && focused.matches("button, a, summary, input") && !isText(focused)) focused.blur();
}

function isText(element) {
  return element.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=range])");
}

function toggleList() {
  if (dialog.open) return dialog.close();
  const rows = bound.map(({ label, text }) =>
    h(
      "tr",
      {},
      h(
        "td",
        {},
        label.split(" ").map((key) => h("kbd", {}, key)),
      ),
      h("td", {}, text),
    ),
  );
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(h("h2", {}, "Keyboard"), h("table", {}, h("tbody", {}, rows)), close);
  dialog.showModal();
}
