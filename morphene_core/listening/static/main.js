// Finds the page that the address names, and what all pages share: theme, keys, errors.

import { h, show } from "./dom.js";
import * as keys from "./keys.js";
import { repaintAll } from "./spectrogram.js";

const PAGES = [
  [/^\/$/, "catalogue.js"],
  [/^\/instruments\/([^/]+)\/sources$/, "sources.js"],
  [/^\/instruments\/([^/]+)\/blind$/, "blind.js"],
  [/^\/instruments\/([^/]+)(?:\/trainings\/([^/]+)\/(\d+))?$/, "instrument.js"],
];

async function open() {
  const page = document.getElementById("page");
  try {
    for (const [pattern, module] of PAGES) {
      const match = location.pathname.match(pattern);
      if (!match) continue;
      const { open } = await import(`./${module}`);
      await open(page, ...match.slice(1).map((part) => part && decodeURIComponent(part)));
    }
  } catch (error) {
    const again = h("button", { type: "button", onclick: () => location.reload() }, "Try again");
    const back = h("a", { href: "/" }, "To the catalogue");
    show(
      page,
      h(
        "section",
        { class: "empty" },
        h("h1", {}, "This page cannot be shown"),
        h("p", {}, error.message),
        h("p", { class: "row" }, again, back),
      ),
    );
    if (!error.status) throw error;
  } finally {
    page.removeAttribute("aria-busy");
  }
}

function startTheme() {
  const button = document.getElementById("switch-theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const update = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    repaintAll();
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("morphene:theme", root.dataset.theme);
    update();
  });
  system.addEventListener("change", update);
  update();
}

keys.start();
startTheme();
open();
