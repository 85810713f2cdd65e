// Blind tests: the page knows no more than A, B and X; the server tells what they were at the end.

import { get, place, post } from "./api.js";
import { h, notice, show } from "./dom.js";
import { Engine } from "./engine.js";
import { counted, number, shortSteps, steps, tenths, words } from "./format.js";
import { bind } from "./keys.js";
import { empty, head, listener, load, nameField } from "./parts.js";

const RENDERS = ["musical_recon", "nonmusical_recon", "morph_25", "morph_50", "morph_75"];
const TITLES = { musical_recon: "musical reconstruction", nonmusical_recon: "non-musical reconstruction" };
const LENGTHS = [6, 10, 16, 24];
const SURE = 0.05;

export async function open(page, slug) {
  const [instrument, votes] = await load(slug, "votes");
  const heard = instrument.trainings.flatMap((training) =>
    training.checkpoints.filter((c) => !c.problem).map((c) => ({ training, ...c })),
  );
  const top = head(instrument, "Blind test");
  if (heard.length < 1) {
    return show(
      page,
      top,
      empty(
        "Nothing to compare yet",
        "A blind test takes audited checkpoints.",
        h("p", {}, h("a", { href: place(slug) }, "To the checkpoints")),
      ),
    );
  }
  const test = new BlindTest(slug, instrument, heard, votes);
  window.listeningRoom = test; // for the console and for tests
  show(
    page,
    top,
    h(
      "div",
      { class: "room" },
      h("div", { class: "listening" }, test.element),
      h("aside", { class: "deciding" }, test.results),
    ),
  );
}

class BlindTest {
  #label = "A";
  #question = null;
  #busy = false;

  constructor(slug, instrument, heard, votes) {
    Object.assign(this, { slug, instrument, heard });
    this.element = h("section", { class: "blind", "aria-live": "polite" });
    this.results = h("div", { class: "panel" });
    this.setting = { kind: "preference", render: RENDERS[0], planned: 10, picked: this.#proposed() };
    this.#showSetting();
    this.#showResults(votes);
    this.#bindKeys();
  }

  // The selected one and the best of each phase, else the latest.
  #proposed() {
    const training = this.instrument.trainings.find((one) => one.current) ?? this.instrument.trainings[0];
    const steps = [
      training.selection?.step,
      ...Object.values(training.ranking?.champions ?? {}),
      ...(training.ranking?.order ?? []),
    ];
    const keys = steps.filter((step) => step !== undefined).map((step) => `${training.id}/${step}`);
    return new Set([...new Set(keys)].slice(0, 3));
  }

  #showSetting() {
    const { setting } = this;
    const isAbx = setting.kind === "abx";
    const hasReference = setting.render.endsWith("_recon");
    if (!hasReference) setting.picked.delete("reference");
    else if (!isAbx && !setting.touched) setting.picked.add("reference");
    const change =
      (key, parse = String) =>
      (event) => {
        setting[key] = parse(event.target.value);
        this.#showSetting();
      };
    const option = (key, value, text) => h("option", { value, selected: setting[key] === value }, text);
    const choices = [
      ...(hasReference ? [["reference", "Reference (the recording)"]] : []),
      ...this.heard.map((c) => [`${c.training.id}/${c.step}`, `${steps(c.step)} · ${c.training.id}`]),
    ];
    show(
      this.element,
      h("h2", {}, "New test"),
      h(
        "div",
        { class: "kinds" },
        this.#kind("preference", "Preference", "Which of two is better? Gives a ranking."),
        this.#kind("abx", "A/B/X", "Is X the same as A or as B? Tells whether two can be told apart."),
      ),
      h(
        "div",
        { class: "row" },
        h(
          "label",
          { class: "field inline" },
          h("span", {}, "Listen to"),
          h(
            "select",
            { id: "render", onchange: change("render") },
            RENDERS.map((name) => option("render", name, title(name))),
          ),
        ),
        h(
          "label",
          { class: "field inline" },
          h("span", {}, "Questions"),
          h(
            "select",
            { id: "planned", onchange: change("planned", Number) },
            LENGTHS.map((count) => option("planned", count, count)),
          ),
        ),
      ),
      h(
        "fieldset",
        { class: "picks" },
        h("legend", {}, isAbx ? "Compare two" : "Compare"),
        choices.map(([key, text]) => this.#pick(key, text)),
      ),
      hasReference &&
        !isAbx &&
        h(
          "p",
          { class: "quiet" },
          "The reference takes part hidden as well, and can be heard openly beside the two.",
        ),
      h(
        "div",
        { class: "row" },
        nameField(),
        h("button", { type: "button", class: "decide", id: "begin", onclick: () => this.#begin() }, "Begin"),
      ),
      (this.message = h("p", { class: "message", role: "alert" })),
    );
  }

  #kind(kind, name, text) {
    const input = h("input", {
      type: "radio",
      name: "kind",
      value: kind,
      checked: this.setting.kind === kind,
      onchange: () => {
        this.setting.kind = kind;
        this.#trim();
        this.#showSetting();
      },
    });
    return h("label", { class: "kind" }, input, h("strong", {}, name), h("span", { class: "quiet" }, text));
  }

  #pick(key, text) {
    const input = h("input", {
      type: "checkbox",
      value: key,
      checked: this.setting.picked.has(key),
      onchange: () => {
        this.setting.touched = true;
        if (input.checked) this.setting.picked.add(key);
        else this.setting.picked.delete(key);
        this.#trim(key);
        this.#showSetting();
      },
    });
    return h("label", { class: "check" }, input, text);
  }

  // A/B/X takes two: the latest picked stays.
  #trim(latest) {
    const { setting } = this;
    if (setting.kind !== "abx") return;
    if (!setting.touched) setting.picked.delete("reference");
    for (const key of setting.picked)
      if (setting.picked.size > 2 && key !== latest) setting.picked.delete(key);
  }

  async #begin() {
    if (!listener()) return void (this.message.textContent = "Say who listens: your name is missing.");
    const { kind, render, planned, picked } = this.setting;
    const [reference] = [...picked].filter((key) => key !== "reference").map((key) => key.split("/")[0]);
    const sounds = [...picked].map((key) => {
      if (key === "reference") return { reference: true, training: reference };
      const [training, step] = key.split("/");
      return { training, step: Number(step) };
    });
    try {
      const question = await post(`/api${place(this.slug, "tests")}`, {
        kind,
        render,
        planned,
        sounds,
        listener: listener(),
      });
      this.#prepareEngine();
      await this.#ask(question);
    } catch (error) {
      this.message.textContent = error.message;
    }
  }

  #prepareEngine() {
    if (this.engine) return;
    this.engine = new Engine();
    this.engine.addEventListener("change", () => this.#refresh());
  }

  async #ask(question) {
    this.#question = question;
    if (question.results) return this.#finish(question);
    this.#label = "A";
    show(
      this.results,
      h("h2", {}, "What was heard"),
      h("p", { class: "quiet" }, "Shown again after the test: it is not to sway you."),
    );
    const isAbx = question.kind === "abx";
    this.labels = question.sounds.map((sound) =>
      h(
        "button",
        {
          type: "button",
          class: `sound ${sound.label}`,
          "data-label": sound.label,
          onclick: () => this.#hear(sound.label),
        },
        sound.label === "R" ? "Reference" : sound.label,
        h("kbd", {}, keyOf(sound.label)),
      ),
    );
    this.answers = answersTo(question).map(([answer, text, key]) =>
      h(
        "button",
        {
          type: "button",
          class: "decide answer",
          "data-answer": answer,
          onclick: () => this.#answer(answer),
        },
        text,
        h("kbd", {}, key),
      ),
    );
    this.playButton = h("button", { class: "play", type: "button", onclick: () => this.engine.toggle() });
    this.time = h("output", { class: "time" });
    show(
      this.element,
      h(
        "div",
        { class: "row spread" },
        h("h2", {}, ask(question, this.setting.render)),
        h("p", { class: "quiet" }, `Question ${question.number} of ${question.of}`),
      ),
      h("progress", { max: question.of, value: question.number - 1, "aria-label": "Progress" }),
      h("div", { class: "sounds" }, this.labels),
      h(
        "div",
        { class: "transport" },
        this.playButton,
        this.time,
        h("span", { class: "quiet" }, "Space plays, ← → go back and on; they change at the same position."),
      ),
      h("div", { class: "answers" }, this.answers),
      (this.message = h("p", { class: "message", role: "alert" })),
      h(
        "p",
        {},
        h("button", { type: "button", class: "plain", onclick: () => this.#leave() }, "Leave the test"),
        h(
          "span",
          { class: "quiet" },
          isAbx ? " An A/B/X test counts only when it is carried through." : " Your answers so far are kept.",
        ),
      ),
    );
    this.#refresh();
    this.engine.select("A");
    await this.engine.setSounds(
      question.sounds.map(({ label, id }) => ({ id: label, url: `/audio/blind/${id}`, gain: 1 })),
    );
    const broken = question.sounds.map(({ label }) => this.engine.error(label)).find(Boolean);
    if (broken) this.message.textContent = broken;
    this.#refresh();
  }

  #hear(label) {
    this.#label = label;
    this.engine.select(label);
  }

  async #answer(answer) {
    if (this.#busy || !this.#question?.trial) return;
    this.#busy = true;
    let next = null;
    try {
      next = await post(`/api/tests/${this.#question.test}`, { trial: this.#question.trial, answer });
    } catch (error) {
      this.message.textContent = error.message;
    } finally {
      this.#busy = false;
    }
    if (next) await this.#ask(next);
  }

  async #finish(question) {
    this.engine.pause();
    const right = question.results.filter((one) => one.correct).length;
    const isAbx = question.kind === "abx";
    show(
      this.element,
      h("h2", {}, isAbx ? `${right} of ${question.of} right` : "Thank you"),
      h(
        "p",
        {},
        isAbx ? inWords(right, question.of, binomial(right, question.of)) : "Your votes are in the ranking.",
      ),
      h(
        "div",
        { class: "wide" },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["", "A was", "B was", "Your answer", isAbx && ""]
                .filter((x) => x !== false)
                .map((text) => h("th", { scope: "col" }, text)),
            ),
          ),
          h(
            "tbody",
            {},
            question.results.map((one) =>
              h(
                "tr",
                {},
                h("td", { class: "number" }, one.number),
                h("td", {}, nameOf(one.a)),
                h("td", {}, nameOf(one.b)),
                h(
                  "td",
                  {},
                  one.answer === "same"
                    ? "no difference"
                    : isAbx
                      ? `X is ${one.answer.toUpperCase()}`
                      : one.answer.toUpperCase(),
                ),
                isAbx && h("td", { class: one.correct ? "good" : "bad" }, one.correct ? "right" : "wrong"),
              ),
            ),
          ),
        ),
      ),
      h(
        "p",
        {},
        h("button", { type: "button", class: "decide", onclick: () => this.#showSetting() }, "Another test"),
      ),
    );
    this.#question = null;
    this.#showResults(await get(`/api${place(this.slug, "votes")}`));
  }

  async #leave() {
    this.engine.pause();
    this.#question = null;
    this.#showSetting();
    this.#showResults(await get(`/api${place(this.slug, "votes")}`));
  }

  #refresh() {
    if (!this.#question?.trial) return;
    this.playButton.textContent = this.engine.playing ? "Pause" : "Play";
    for (const button of this.labels)
      button.setAttribute("aria-pressed", button.dataset.label === this.#label);
    this.time.value = `${tenths(this.engine.position)} / ${tenths(this.engine.length)}`;
    clearTimeout(this.ticking);
    if (this.engine.playing) this.ticking = setTimeout(() => this.#refresh(), 100);
  }

  #showResults(votes) {
    if (!votes.votes) {
      return show(
        this.results,
        h("h2", {}, "What was heard"),
        h(
          "p",
          { class: "quiet" },
          "No votes yet. They appear here, and in votes.jsonl in the instrument's folder.",
        ),
      );
    }
    show(
      this.results,
      h("h2", {}, "What was heard"),
      h("p", { class: "quiet" }, `${counted(votes.votes, "vote")} by ${votes.listeners.join(", ")}`),
      votes.rankings.map(ranking),
      votes.told_apart.length > 0 && toldApart(votes.told_apart),
    );
  }

  #bindKeys() {
    const during =
      (run) =>
      (...given) =>
        this.#question?.trial && run(...given);
    const labels = { 1: "A", 2: "B", 3: "X", 0: "R", a: "A", b: "B", x: "X", r: "R" };
    const there = (label) => this.#question.sounds.some((sound) => sound.label === label);
    const seek = (key, event) =>
      this.engine.seek(this.engine.position + (key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 0.1 : 1));
    bind([
      { keys: [" "], label: "Space", text: "Play or pause", run: during(() => this.engine.toggle()) },
      {
        keys: Object.keys(labels),
        label: "1 2 3 0",
        text: "Hear A, B, X, the reference, at the same position (or a b x r)",
        run: during((key) => there(labels[key]) && this.#hear(labels[key])),
      },
      {
        keys: ["ArrowLeft", "ArrowRight"],
        label: "← →",
        text: "One second back or on (with Shift a tenth)",
        run: during(seek),
      },
      {
        keys: ["A", "B", "S"],
        label: "Shift+A Shift+B",
        text: "Answer A, or B (Shift+S: no difference)",
        run: during((key) => {
          const answer = { A: "a", B: "b", S: "same" }[key];
          if (answersTo(this.#question).some(([known]) => known === answer)) this.#answer(answer);
        }),
      },
    ]);
  }
}

function answersTo(question) {
  if (question.kind === "abx")
    return [
      ["a", "X is A", "⇧A"],
      ["b", "X is B", "⇧B"],
    ];
  const better = hasReference(question) ? "is closer" : "is better";
  return [
    ["a", `A ${better}`, "⇧A"],
    ["same", "No difference", "⇧S"],
    ["b", `B ${better}`, "⇧B"],
  ];
}

function ask(question, render) {
  if (question.kind === "abx") return "Is X the same as A, or as B?";
  return hasReference(question)
    ? "Which is closer to the reference?"
    : render.startsWith("morph")
      ? "Which morph would you rather play?"
      : "Which sounds better?";
}

function hasReference(question) {
  return question.sounds.some(({ label }) => label === "R");
}

function keyOf(label) {
  return { A: "1", B: "2", X: "3", R: "0" }[label];
}

function nameOf(sound) {
  return sound.key === "reference" ? "the reference" : `step ${steps(sound.step)}`;
}

function title(render) {
  return TITLES[render] ?? `${words(render).toLowerCase()} %`;
}

function ranking(found) {
  const agreed =
    found.tau === null
      ? ""
      : `Agreement with the automatic ranking: τ = ${number(found.tau)} (1 is the same order).`;
  const widest = Math.max(...found.preferred.map((one) => Math.abs(one.strength) + one.error), 0.5);
  return h(
    "section",
    {},
    h("h3", {}, `By preference: ${title(found.render)}`),
    h(
      "table",
      { class: "ranking" },
      h(
        "tbody",
        {},
        found.preferred.map((one, i) =>
          h(
            "tr",
            {},
            h("td", { class: "number" }, i + 1),
            h(
              "th",
              { scope: "row" },
              one.key === "reference" ? "Reference" : shortSteps(one.step),
              h("small", { class: "quiet" }, one.automatic ? `measured: ${one.automatic}` : ""),
            ),
            h("td", {}, interval(one, widest)),
            h(
              "td",
              { class: "number quiet", title: "won of all comparisons" },
              `${one.wins}/${one.comparisons}`,
            ),
          ),
        ),
      ),
    ),
    agreed && h("p", {}, agreed),
    found.reference_heard > 0 &&
      h(
        "p",
        { class: "quiet" },
        `Hidden reference: ${counted(found.reference_heard, "time")} among the two, ${found.reference_missed} times another was preferred.`,
      ),
  );
}

// The strength with its standard error, on one scale for all.
function interval({ strength, error }, widest) {
  const at = (value) => 50 + (50 * value) / widest;
  const bar = h("span", { class: "bar-error" });
  const dot = h("span", { class: "bar-dot" });
  bar.style.left = `${Math.max(0, at(strength - error))}%`;
  bar.style.right = `${Math.max(0, 100 - at(strength + error))}%`;
  dot.style.left = `${at(strength)}%`;
  return h(
    "div",
    {
      class: "interval",
      role: "img",
      "aria-label": `strength ${number(strength)}, standard error ${number(error)}`,
    },
    bar,
    dot,
  );
}

function toldApart(pairs) {
  return h(
    "section",
    {},
    h("h3", {}, "Told apart (A/B/X)"),
    h(
      "ul",
      { class: "pairs" },
      pairs.map((pair) =>
        h(
          "li",
          {},
          h("strong", {}, `${nameOf(pair.a)} and ${nameOf(pair.b)}`),
          h("span", { class: "quiet" }, title(pair.render)),
          h("span", {}, inWords(pair.correct, pair.answers, pair.p)),
        ),
      ),
    ),
  );
}

function inWords(right, all, p) {
  const verdict = p < SURE ? "the difference is heard" : "no difference proven";
  return `${right} of ${all} right: ${verdict}. By guessing as many or more come out with p = ${number(p)}.`;
}

function binomial(right, all) {
  let [ways, sum] = [1, 0];
  for (let k = 0; k <= all; k++) {
    if (k >= right) sum += ways;
    ways = (ways * (all - k)) / (k + 1);
  }
  return sum / 2 ** all;
}
