// Small parts that several pages use.

import { get, place } from "./api.js";
import { h, show } from "./dom.js";
import { day, steps } from "./format.js";

export const STATES = {
  empty: ["no recordings", "idle"],
  sources: ["recordings", "idle"],
  prepared: ["prepared", "idle"],
  training: ["training", "busy"],
  trained: ["trained", "idle"],
  audited: ["audited", "idle"],
  selected: ["selected", "open"],
  exported: ["exported", "open"],
  approved: ["approved", "good"],
  rejected: ["rejected", "bad"],
  delivered: ["delivered", "good"],
};

const NAME = "morphene:listener";

/** Return a mark of an instrument's state. */
export function stateMark(state) {
  const [text, kind] = STATES[state];
  return h("span", { class: `mark-state ${kind}` }, text);
}

/** Return the head of an instrument's pages, with the way to its other pages. */
export function head(instrument, here) {
  show(document.getElementById("trail"), h("a", { href: "/" }, "Catalogue"));
  document.title = `${instrument.name} · Listening room`;
  const slug = instrument.slug;
  const pages = [
    ["Listen", place(slug)],
    ["Sources", place(slug, "sources")],
    ["Blind test", place(slug, "blind")],
  ];
  return h(
    "header",
    { class: "head" },
    h(
      "div",
      {},
      h("h1", {}, h("span", { class: "number" }, instrument.number), instrument.name),
      instrument.musical && h("p", { class: "quiet" }, `${instrument.musical} + ${instrument.nonmusical}`),
    ),
    h(
      "nav",
      { class: "tabs", "aria-label": "Pages of the instrument" },
      pages.map(([text, href]) => h("a", { href, "aria-current": text === here ? "page" : null }, text)),
    ),
  );
}

/** Return one line on a verdict. */
export function verdictLine(verdict) {
  return `${verdict.listener} ${verdict.decision} step ${steps(verdict.step)}, ${day(verdict.at)}`;
}

/** Return a field for the listener's name, which is remembered. */
export function nameField(onchange = () => {}) {
  const input = h("input", {
    type: "text",
    id: "listener",
    maxlength: 80,
    autocomplete: "name",
    value: localStorage.getItem(NAME) ?? "",
    placeholder: "Who listens?",
  });
  input.addEventListener("input", () => {
    localStorage.setItem(NAME, input.value);
    onchange();
  });
  return h("label", { class: "field", for: "listener" }, h("span", {}, "Your name"), input);
}

export function listener() {
  return (localStorage.getItem(NAME) ?? "").trim();
}

/** Return what a page shows while there is nothing: what is missing and what to do. */
export function empty(title, text, ...more) {
  return h("section", { class: "empty" }, h("h2", {}, title), h("p", {}, text), more);
}

/** Return an instrument's data and the data of one of its pages. */
export function load(slug, page) {
  return Promise.all([get(`/api${place(slug)}`), page && get(`/api${place(slug, page)}`)]);
}
