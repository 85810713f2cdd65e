// An instrument: its checkpoints over the steps, the desk to hear them, and the verdict.

import { get, place } from "./api.js";
import { Curves } from "./curves.js";
import { Desk } from "./desk.js";
import { h, notice, show } from "./dom.js";
import { counted, day, number, shortSteps, steps, words } from "./format.js";
import { bind } from "./keys.js";
import { empty, head, load } from "./parts.js";
import { VerdictPanel } from "./verdict.js";

const POLL = 20000;
const MANY = 16; // checkpoints of which not each one has its label

export async function open(page, slug, training, step) {
  const [instrument] = await load(slug);
  if (!instrument.trainings.length) return show(page, head(instrument, "Listen"), untrained(instrument));
  const room = new Room(page, slug, instrument);
  window.listeningRoom = room; // for the console and for tests
  await room.start(training, step && Number(step));
}

class Room {
  constructor(page, slug, instrument) {
    this.page = page;
    this.slug = slug;
    this.instrument = instrument;
    this.curves = new Curves((step) => this.go(this.training.id, step));
    this.other = null;
    this.details = new Map();
  }

  get engine() {
    return this.desk.engine;
  }

  async start(trainingId, step) {
    const { trainings } = this.instrument;
    const training = trainingId
      ? trainings.find((one) => one.id === trainingId)
      : (trainings.find((one) => one.current) ?? trainings[0]);
    if (!training) throw new Error(`${this.instrument.name} has no training ${trainingId}.`);
    if (training.problem) return this.#damaged(training);
    if (!training.checkpoints.length) return this.#withoutCheckpoints(training);
    this.training = training;
    this.step = step ?? firstStep(training);
    if (!this.checkpoint)
      throw new Error(`Training ${training.id} has no checkpoint of step ${steps(this.step)}.`);
    this.desk = new Desk();
    this.panel = new VerdictPanel(this.slug, () => this.reload());
    this.#build();
    this.#bindKeys();
    addEventListener("popstate", () => this.#fromAddress());
    this.#readOther();
    await this.#update();
    setInterval(() => document.hidden || this.#lookForNews(), POLL);
  }

  get checkpoint() {
    return this.training.checkpoints.find((checkpoint) => checkpoint.step === this.step);
  }

  /** Open a checkpoint; what is heard goes on at the same position. */
  go(trainingId, step, remember = true) {
    const training = this.instrument.trainings.find((one) => one.id === trainingId);
    if (!training?.checkpoints.some((checkpoint) => checkpoint.step === step)) return;
    [this.training, this.step] = [training, step];
    if (remember) history.pushState(null, "", this.#address());
    this.#update().catch((error) => notice(error.message, "error"));
  }

  /** Show another checkpoint beside the open one; null shows none. */
  compare(other) {
    this.other = other;
    history.replaceState(null, "", this.#address());
    this.#update().catch((error) => notice(error.message, "error"));
  }

  /** Read everything anew: something was written. */
  async reload() {
    [this.instrument] = await load(this.slug);
    this.training = this.instrument.trainings.find((one) => one.id === this.training.id);
    this.details.clear();
    show(this.headBox, head(this.instrument, "Listen"));
    await this.#update();
  }

  // While one listens, trainings go on and others decide. What is being written stays as it is.
  async #lookForNews() {
    const before = this.instrument;
    const [now] = await load(this.slug).catch(() => [before]);
    const training = now.trainings.find((one) => one.id === this.training.id);
    if (before !== this.instrument || !training?.checkpoints.length) return;
    const decided = (of, one) => JSON.stringify([of.verdicts.length, one.selection]);
    const news = decided(now, training);
    if (news !== decided(before, this.training) && news !== this.told) {
      this.told = news; // once
      notice("Somebody has decided meanwhile, or another checkpoint is selected. Reload to see it.");
    }
    if (JSON.stringify(training.checkpoints) === JSON.stringify(this.training.checkpoints)) return;
    [this.instrument, this.training] = [now, training];
    this.details.clear();
    this.#showPicker();
    this.#showCurves();
    this.#showStrip();
  }

  #build() {
    this.headBox = h("div", {}, head(this.instrument, "Listen"));
    this.picker = h("div", { class: "picker" });
    this.about = h("div", { class: "about" });
    this.overview = h("div", { class: "overview" });
    this.strip = h("ol", { class: "strip-steps", "aria-label": "Checkpoints" });
    this.findings = h("section", { class: "findings", "aria-label": "What was measured" });
    show(
      this.page,
      this.headBox,
      h(
        "div",
        { class: "room" },
        h(
          "div",
          { class: "listening" },
          this.picker,
          this.overview,
          this.strip,
          this.about,
          this.desk.element,
          this.findings,
        ),
        h("aside", { class: "deciding", "aria-label": "Verdict" }, this.panel.element),
      ),
    );
  }

  async #update() {
    const { training, step, other } = this;
    this.#showPicker();
    this.#showCurves();
    this.#showStrip();
    const [detail, beside] = await Promise.all([
      this.#detail(training.id, step),
      other && this.#detail(other.training, other.step),
    ]);
    if (training !== this.training || step !== this.step || other !== this.other) return;
    this.#showAbout(detail);
    this.#showFindings(detail);
    this.panel.show(this.instrument, this.training, this.checkpoint, detail);
    this.desk.element.hidden = !detail.sounds.length && !beside;
    await this.desk.show(side(detail, this.training), beside && side(beside, this.training));
  }

  #detail(training, step) {
    const key = `${training}/${step}`;
    if (!this.details.has(key)) {
      const loading = get(`/api${place(this.slug, "trainings", training, step)}`);
      loading.catch(() => this.details.delete(key));
      this.details.set(key, loading);
    }
    return this.details.get(key);
  }

  #showPicker() {
    const { trainings } = this.instrument;
    const picked = h(
      "select",
      { "aria-label": "Training", onchange: () => this.#pickTraining(picked.value) },
      trainings.map((one) =>
        h(
          "option",
          { value: one.id, selected: one.id === this.training.id },
          `${one.id}${one.current ? " · current" : ""}`,
        ),
      ),
    );
    const beside = h(
      "select",
      { "aria-label": "Compare with", onchange: () => this.compare(parseOther(beside.value)) },
      h("option", { value: "" }, "nothing"),
      trainings.map((one) =>
        h(
          "optgroup",
          { label: one.id },
          one.checkpoints
            .filter((c) => !c.problem)
            .map((c) =>
              h(
                "option",
                {
                  value: `${one.id}/${c.step}`,
                  selected: this.other?.training === one.id && this.other.step === c.step,
                },
                `${shortSteps(c.step)}${one.selection?.step === c.step ? " · selected" : ""}`,
              ),
            ),
        ),
      ),
    );
    const { training } = this;
    const state = training.running
      ? `training: step ${steps(training.running.step)}`
      : training.finished
        ? `finished ${day(training.finished)}`
        : training.failure
          ? "failed"
          : "stopped";
    show(
      this.picker,
      h("label", { class: "field inline" }, h("span", {}, "Training"), picked),
      h("span", { class: "quiet" }, `${counted(training.checkpoints.length, "checkpoint")} · ${state}`),
      h("span", { class: "spread" }),
      h("label", { class: "field inline" }, h("span", {}, "Compare with"), beside),
    );
  }

  #pickTraining(id) {
    const training = this.instrument.trainings.find((one) => one.id === id);
    if (training.problem) return notice(training.problem, "error");
    if (!training.checkpoints.length) return notice(`${id} has no checkpoint yet.`);
    this.go(id, firstStep(training));
  }

  #showCurves() {
    const key = `${this.training.id}/${this.other?.training ?? ""}/${JSON.stringify(this.training.checkpoints)}`;
    if (this.drawn !== key) {
      this.drawn = key;
      this.curves.clear();
      const other = this.instrument.trainings.find((one) => one.id === this.other?.training);
      show(this.overview, this.curves.overview(this.training));
      this.metrics = this.curves.metrics(this.instrument.metrics, this.training, other);
    }
    this.curves.open(this.step);
  }

  #showStrip() {
    const { checkpoints, selection, ranking } = this.training;
    const champions = Object.values(ranking?.champions ?? {});
    const every = Math.ceil(checkpoints.length / MANY);
    show(
      this.strip,
      checkpoints.map((one, i) => {
        const marks = [
          selection?.step === one.step && ["selected", "★", "selected"],
          champions.includes(one.step) && ["champion", "◆", `best of phase ${one.phase}`],
          one.problem && ["missing", "○", one.problem],
          one.faults.length > 0 && ["faulty", "!", one.faults.join("; ")],
        ].filter(Boolean);
        const title = [
          `Step ${steps(one.step)}, phase ${one.phase}`,
          ...marks.map(([, , text]) => text),
        ].join(" · ");
        const link = h(
          "a",
          {
            href: place(this.slug, "trainings", this.training.id, one.step),
            title,
            "aria-current": one.step === this.step ? "true" : null,
            class: `phase-${one.phase}`,
            "aria-label": title,
            onclick: (event) => this.#follow(event, one.step),
          },
          h(
            "span",
            { class: "marks" },
            marks.map(([kind, sign]) => h("i", { class: kind }, sign)),
          ),
          h("span", {}, i % every && one.step !== this.step ? "·" : shortSteps(one.step)),
        );
        return h("li", {}, link);
      }),
    );
  }

  #follow(event, step) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.go(this.training.id, step);
  }

  #showAbout(detail) {
    const { ranking, selection } = this.training;
    const isSelected = selection?.checkpoint_sha256 === detail.sha256;
    const order = ranking?.order ?? [];
    const rank = order.indexOf(detail.step) + 1;
    const facts = [
      `phase ${detail.phase}`,
      rank > 0 && !ranking.left_out.includes(detail.step) && `ranked ${rank} of ${order.length}`,
      isSelected && (selection.by === "ranking" ? "selected by the ranking" : `chosen by ${selection.by}`),
    ].filter(Boolean);
    const why = h(
      "div",
      { class: "why", hidden: true },
      h("p", {}, selection?.reason),
      ranking && h("p", {}, ranking.plateau),
    );
    const ask = h(
      "button",
      {
        type: "button",
        class: "plain why-button",
        "aria-expanded": "false",
        onclick: () => {
          why.hidden = !why.hidden;
          ask.setAttribute("aria-expanded", !why.hidden);
        },
      },
      "Why this one?",
    );
    show(
      this.about,
      h(
        "div",
        { class: "row" },
        h("h2", {}, `Step ${steps(detail.step)} `, h("span", { class: "quiet" }, facts.join(" · "))),
        isSelected && ask,
        h("span", { class: "spread" }),
        this.#legend(),
      ),
      detail.problem && h("p", { class: "warning" }, detail.problem),
      this.checkpoint.faults.map((fault) => h("p", { class: "warning bad" }, fault)),
      isSelected && why,
    );
  }

  #legend() {
    const { checkpoints, selection, ranking } = this.training;
    const signs = [
      selection && ["selected", "★", "selected"],
      Object.keys(ranking?.champions ?? {}).length > 0 && ["champion", "◆", "best of its phase"],
      checkpoints.some((c) => c.problem) && ["missing", "○", "no audit"],
      checkpoints.some((c) => c.faults.length) && ["faulty", "!", "faulty"],
    ].filter(Boolean);
    return h(
      "p",
      { class: "signs quiet" },
      signs.map(([kind, sign, text]) => h("span", {}, h("i", { class: kind }, sign), ` ${text}`)),
    );
  }

  #showFindings(detail) {
    const provisional = this.training.ranking?.provisional;
    show(
      this.findings,
      h(
        "div",
        { class: "row spread" },
        h("h2", {}, "Measurements"),
        provisional &&
          h(
            "p",
            { class: "quiet" },
            "Thresholds are provisional: nobody's verdicts have confirmed them yet.",
          ),
      ),
      this.metrics,
      artifactTable(this.instrument.artifacts, detail.artifacts),
    );
  }

  #damaged(training) {
    show(
      this.page,
      head(this.instrument, "Listen"),
      empty(
        "This training cannot be read",
        training.problem,
        this.instrument.trainings
          .filter((one) => !one.problem && one.checkpoints.length)
          .map((one) =>
            h(
              "p",
              {},
              h("a", { href: place(this.slug, "trainings", one.id, firstStep(one)) }, `To ${one.id}`),
            ),
          ),
      ),
    );
  }

  #withoutCheckpoints(training) {
    const { running } = training;
    const text = running
      ? `It is ${running.doing}, at step ${steps(running.step)}. The first checkpoint comes by itself.`
      : (training.failure ?? "Start it with `morphene queue add`.");
    show(this.page, head(this.instrument, "Listen"), empty("No checkpoint yet", text));
  }

  #bindKeys() {
    bind([
      {
        keys: ["ArrowUp", "ArrowDown"],
        label: "↑ ↓",
        text: "Previous or next checkpoint",
        run: (key) => this.#step(key === "ArrowUp" ? -1 : 1),
      },
    ]);
  }

  #step(by) {
    const list = this.training.checkpoints.map((checkpoint) => checkpoint.step);
    const next = list[list.indexOf(this.step) + by];
    if (next !== undefined) this.go(this.training.id, next);
  }

  #address() {
    const path = place(this.slug, "trainings", this.training.id, this.step);
    return this.other
      ? `${path}?with=${encodeURIComponent(`${this.other.training}/${this.other.step}`)}`
      : path;
  }

  #readOther() {
    this.other = parseOther(new URLSearchParams(location.search).get("with"));
    const training = this.instrument.trainings.find((one) => one.id === this.other?.training);
    if (!training?.checkpoints.some((checkpoint) => checkpoint.step === this.other.step)) this.other = null;
  }

  #fromAddress() {
    const match = location.pathname.match(/\/trainings\/([^/]+)\/(\d+)$/);
    this.#readOther();
    if (match) this.go(decodeURIComponent(match[1]), Number(match[2]), false);
    else location.reload();
  }
}

function firstStep({ checkpoints, selection, ranking }) {
  const heard = checkpoints.filter((checkpoint) => !checkpoint.problem);
  return selection?.step ?? ranking?.order[0] ?? heard.at(-1)?.step ?? checkpoints.at(-1).step;
}

function parseOther(text) {
  const match = text?.match(/^(.+)\/(\d+)$/);
  return match ? { training: match[1], step: Number(match[2]) } : null;
}

function side(detail, training) {
  const step = shortSteps(detail.step);
  const name = detail.training === training.id ? step : `${step} of …${detail.training.split("-").at(-1)}`;
  return {
    name,
    title: `step ${steps(detail.step)} of ${detail.training}`,
    sounds: detail.sounds,
    exports: detail.exports,
  };
}

function artifactTable(artifacts, found) {
  const renders = Object.keys(found);
  if (!renders.length) return null;
  return h(
    "section",
    { class: "group" },
    h("h3", {}, "Artifacts"),
    h(
      "div",
      { class: "wide" },
      h(
        "table",
        { class: "artifacts" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("td"),
            artifacts.map(({ title, unit, meaning }) =>
              h(
                "th",
                { scope: "col", title: meaning },
                title,
                unit && !title.endsWith(unit) && h("small", {}, ` ${unit}`),
              ),
            ),
          ),
        ),
        h(
          "tbody",
          {},
          renders.map((render) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, words(render)),
              artifacts.map(({ name }) =>
                h("td", { class: found[render][name] ? null : "quiet" }, number(found[render][name])),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

function untrained(instrument) {
  const texts = {
    empty: [
      "No recordings yet",
      `Add some: morphene sources add --instrument ${instrument.number} --type musical …`,
    ],
    sources: ["Not trained yet", "Hear the recordings before GPU hours are spent on them."],
    prepared: [
      "Not trained yet",
      `The dataset is ready: morphene queue add --instrument ${instrument.number}`,
    ],
  };
  const [title, text] = texts[instrument.state] ?? ["Not trained yet", ""];
  return empty(
    title,
    text,
    h("p", { class: "quiet" }, instrument.idea),
    h("p", {}, h("a", { href: place(instrument.slug, "sources") }, "To the sources")),
  );
}
