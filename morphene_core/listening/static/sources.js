// The recordings of an instrument: every file to be heard, with its verdict and its licence.

import { get, place } from "./api.js";
import { h, notice, show } from "./dom.js";
import { clock, counted, day } from "./format.js";
import { bind } from "./keys.js";
import { empty, head } from "./parts.js";

const SEEK = 5; // seconds
const VERDICTS = { accepted: "good", warning: "warn", rejected: "bad", unread: "quiet" };

export async function open(page, slug) {
  const [instrument, found] = await Promise.all([
    get("/api/catalogue").then(({ instruments }) => instruments.find((one) => one.slug === slug)),
    get(`/api${place(slug, "sources")}`),
  ]);
  const player = new Player();
  const roles = found.roles.map((role) => section(role, player, found));
  show(page, head(instrument ?? found, "Sources"), h("div", { class: "sources" }, roles), player.element);
  window.listeningRoom = player; // for the console and for tests
}

function section(role, player, { number }) {
  const name = role.role === "musical" ? "Musical source" : "Non-musical source";
  const add = `morphene sources add --instrument ${number} --type ${role.role} …`;
  const heading = h(
    "header",
    { class: "row spread" },
    h("h2", {}, name, " ", h("span", { class: "quiet" }, role.wanted)),
    h("p", { class: "quiet" }, facts(role)),
  );
  if (!role.files.length) {
    return h(
      "section",
      {},
      heading,
      empty("No recordings", `Lay them in ${role.folder}, or add them with `, h("code", {}, add)),
    );
  }
  return h(
    "section",
    { "aria-label": name },
    heading,
    !role.read &&
      h(
        "p",
        { class: "warning" },
        `These files were not read yet. Read them: morphene sources status ${number}`,
      ),
    role.release_problem && h("p", { class: "warning" }, role.release_problem),
    h("ul", { class: "licences" }, role.sources.map(licence)),
    h(
      "div",
      { class: "wide" },
      h(
        "table",
        { class: "files" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["", "File", "Format", "Source", "Length", "Verdict", ""].map((text) =>
              h("th", { scope: "col" }, text),
            ),
          ),
        ),
        h(
          "tbody",
          {},
          role.files.map((file) => player.row(file)),
        ),
      ),
    ),
  );
}

function facts(role) {
  const used = role.files.filter((file) => ["accepted", "warning"].includes(file.verdict)).length;
  return [
    `${clock(role.seconds)} usable in ${counted(used, "file")}`,
    role.coverage !== null && `covers ${Math.round(role.coverage)} % of the range`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function licence(source) {
  const terms = [
    source.licence === "own" ? "own recording" : source.licence,
    source.origin,
    source.rating && `rated ${source.rating} of 5`,
    source.expires && `until ${day(source.expires)}`,
    source.attribution && `by ${source.attribution}`,
    clock(source.seconds),
  ];
  return h(
    "li",
    {},
    h("strong", {}, source.name),
    h("span", { class: "quiet" }, terms.filter(Boolean).join(" · ")),
    source.problems.map((problem) =>
      h("span", { class: problem.forbids ? "bad" : "warn" }, `The licence ${problem.text}.`),
    ),
    source.notes && h("span", { class: "quiet" }, source.notes),
  );
}

// One file at a time, streamed: a recording session may take hours.
class Player {
  #files = [];
  #current = null;

  constructor() {
    this.audio = new Audio();
    this.audio.preload = "metadata";
    this.title = h("strong", {}, "Choose a file");
    this.button = h("button", { class: "play", type: "button", onclick: () => this.toggle() }, "Play");
    this.time = h("output", { class: "time" }, "0:00");
    this.slide = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.001,
      value: 0,
      "aria-label": "Position",
      oninput: () => this.#seekTo(Number(this.slide.value) * this.#length()),
    });
    this.element = h(
      "section",
      { class: "bar", "aria-label": "Player" },
      this.button,
      this.time,
      this.slide,
      this.title,
    );
    for (const event of ["timeupdate", "play", "pause", "durationchange", "ended"]) {
      this.audio.addEventListener(event, () => this.#refresh());
    }
    this.audio.addEventListener("ended", () => this.#step(1));
    this.audio.addEventListener("error", () => this.#failed());
    this.#bindKeys();
  }

  /** Return a file's row of the table. */
  row(file) {
    const play = h(
      "button",
      {
        class: "plain round",
        type: "button",
        "aria-label": `Play ${file.path}`,
        disabled: !file.url,
        title: file.why_not || null,
        onclick: () => this.choose(entry),
      },
      "▶",
    );
    const row = h(
      "tr",
      {},
      h("td", {}, play),
      h("th", { scope: "row" }, file.path),
      h("td", { class: "quiet" }, file.format),
      h("td", { class: "quiet" }, file.source || "–"),
      h("td", { class: "number" }, file.seconds ? clock(file.seconds) : "–"),
      h("td", { class: VERDICTS[file.verdict] }, file.verdict === "unread" ? "not read yet" : file.verdict),
      h(
        "td",
        {},
        file.findings.map((finding) =>
          h("p", {}, h("b", { class: finding.rejects ? "bad" : "warn" }, finding.code), ` ${finding.text}`),
        ),
        file.why_not && h("p", { class: "quiet" }, `Cannot be played: ${file.why_not}.`),
      ),
    );
    const entry = { file, row, play };
    if (file.url) this.#files.push(entry);
    return row;
  }

  /** Play a file from its beginning, or pause the one that plays. */
  choose(entry) {
    if (entry === this.#current) return this.toggle();
    this.#current = entry;
    this.audio.src = entry.file.url;
    this.title.textContent = entry.file.path;
    this.audio.play().catch(() => {}); // the error event says why
    entry.row.scrollIntoView({ block: "nearest" });
    this.#refresh();
  }

  toggle() {
    if (!this.#current) return this.#files.length && this.choose(this.#files[0]);
    return this.audio.paused ? this.audio.play().catch(() => {}) : this.audio.pause();
  }

  #step(by) {
    const next = this.#files[this.#files.indexOf(this.#current) + by];
    if (next) this.choose(next);
  }

  #seekTo(seconds) {
    if (this.#current) this.audio.currentTime = Math.min(Math.max(0, seconds), this.#length());
  }

  #length() {
    const { duration } = this.audio;
    return Number.isFinite(duration) ? duration : (this.#current?.file.seconds ?? 0);
  }

  #failed() {
    if (!this.#current) return;
    notice(
      `${this.#current.file.path} cannot be played. Its file may be damaged or gone: reload the page.`,
      "error",
    );
  }

  #refresh() {
    const playing = this.#current && !this.audio.paused;
    this.button.textContent = playing ? "Pause" : "Play";
    this.time.value = `${clock(this.audio.currentTime)} / ${clock(this.#length())}`;
    this.slide.value = this.#length() ? this.audio.currentTime / this.#length() : 0;
    for (const entry of this.#files) {
      entry.row.classList.toggle("heard", entry === this.#current);
      entry.play.textContent = entry === this.#current && playing ? "❚❚" : "▶";
    }
  }

  #bindKeys() {
    const seek = (by) => this.#seekTo(this.audio.currentTime + by);
    bind([
      { keys: [" "], label: "Space", text: "Play or pause", run: () => this.toggle() },
      {
        keys: ["ArrowUp", "ArrowDown"],
        label: "↑ ↓",
        text: "Previous or next file",
        run: (key) => this.#step(key === "ArrowUp" ? -1 : 1),
      },
      {
        keys: ["ArrowLeft", "ArrowRight"],
        label: "← →",
        text: `${SEEK} seconds back or on (with Shift 30)`,
        run: (key, event) => seek((key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 30 : SEEK)),
      },
      { keys: ["Home"], label: "Home", text: "To the beginning", run: () => this.#seekTo(0) },
    ]);
  }
}
