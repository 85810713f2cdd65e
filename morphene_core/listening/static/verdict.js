// The verdict on the selected checkpoint, or the choice of another one.
//
// What is written is kept in the browser, under the checkpoint's hash, until it is recorded.

import { place, post } from "./api.js";
import { h, notice, show } from "./dom.js";
import { steps, words } from "./format.js";
import { listener, nameField, verdictLine } from "./parts.js";

const NEEDED = { approved: "Approve", rejected: "Reject" };
const HINTS = {
  musical_reconstruction: "recognizable, faithful",
  nonmusical_reconstruction: "has the texture",
  morph_progression: "smooth, no artifacts",
  real_time_playback: "stable in nn~",
  musicality: "usable all the way",
};

export class VerdictPanel {
  #slug;
  #onwritten;
  #draft = {};
  #busy = false;

  constructor(slug, onwritten) {
    this.#slug = slug;
    this.#onwritten = onwritten;
    this.element = h("div", { class: "panel" });
  }

  /** Show the panel for a checkpoint; a draft on it is taken up. */
  show(instrument, training, checkpoint, detail) {
    Object.assign(this, { instrument, training, checkpoint, detail });
    this.seen = instrument.verdicts.length;
    this.#draft = this.#readDraft();
    show(this.element, this.isSelected ? this.#verdictForm() : this.#choiceForm(), this.#history());
  }

  get isSelected() {
    return this.training.current && this.training.selection?.checkpoint_sha256 === this.checkpoint.sha256;
  }

  #verdictForm() {
    const before = this.instrument.verdicts.findLast((v) => v.checkpoint_sha256 === this.checkpoint.sha256);
    const criteria = this.instrument.criteria.map((name) => this.#criterion(name));
    this.message = h("div", { class: "message", role: "alert" });
    this.buttons = Object.entries(NEEDED).map(([decision, text]) =>
      h("button", { type: "button", class: `decide ${decision}`, onclick: () => this.#give(decision) }, text),
    );
    return [
      h("h2", {}, "Verdict"),
      h("p", { class: "quiet" }, `On step ${steps(this.checkpoint.step)}, the selected checkpoint.`),
      this.#exportNote(),
      before && h("p", { class: `given ${before.decision}` }, verdictLine(before)),
      h("div", { class: "criteria" }, criteria),
      this.#notes("Notes", "What speaks for it, what against?"),
      nameField(),
      h("div", { class: "row decisions" }, this.buttons),
      this.message,
    ];
  }

  #exportNote() {
    if (this.detail.exports.length) return null;
    const text = this.instrument.exported
      ? "Its export was not rendered: only the checkpoint itself can be heard."
      : "Not exported yet: only the checkpoint itself can be heard.";
    return h("p", { class: "quiet" }, text);
  }

  #criterion(name) {
    const found = this.detail.criteria[name];
    const [state, kind] = found
      ? found.passed
        ? ["numbers hold", "good"]
        : ["numbers miss", "bad"]
      : [HINTS[name], "quiet"];
    return h(
      "fieldset",
      { class: "criterion", title: found ? `${HINTS[name]}. ${found.text}` : HINTS[name] },
      h("legend", {}, words(name), h("small", { class: kind }, state)),
      h(
        "div",
        { class: "segments" },
        this.instrument.ratings.map((rating) => {
          const input = h("input", {
            type: "radio",
            name,
            value: rating,
            checked: this.#draft.criteria?.[name] === rating,
            onchange: () => this.#keep({ criteria: { ...this.#draft.criteria, [name]: rating } }),
          });
          return h("label", { class: rating }, input, h("span", {}, rating));
        }),
      ),
    );
  }

  #notes(label, placeholder) {
    const area = h(
      "textarea",
      {
        rows: 3,
        maxlength: 8000,
        placeholder,
        id: "notes",
        oninput: () => this.#keep({ notes: area.value }),
      },
      this.#draft.notes ?? "",
    );
    return h("label", { class: "field", for: "notes" }, h("span", {}, label), area);
  }

  #choiceForm() {
    const { selection } = this.training;
    const current = this.training.current;
    this.message = h("div", { class: "message", role: "alert" });
    const selected =
      selection &&
      h(
        "a",
        { href: place(this.#slug, "trainings", this.training.id, selection.step) },
        `step ${steps(selection.step)}`,
      );
    if (!current) {
      return [
        h("h2", {}, "Not the current training"),
        h(
          "p",
          { class: "quiet" },
          "This training does not ship; it is here to compare. A verdict is given on the current one.",
        ),
      ];
    }
    if (this.checkpoint.problem && !this.detail.sounds.length) {
      return [
        h("h2", {}, "Nothing to hear yet"),
        h("p", { class: "quiet" }, "A checkpoint can be chosen once it is audited."),
      ];
    }
    this.buttons = [
      h(
        "button",
        { type: "button", class: "decide", onclick: () => this.#choose() },
        `Choose step ${steps(this.checkpoint.step)}`,
      ),
    ];
    return [
      h("h2", {}, selection ? "Choose this one instead?" : "Choose this one?"),
      h(
        "p",
        { class: "quiet" },
        selection ? ["Selected is ", selected, ". "] : "None is selected. ",
        "A choice wins over the ranking, stays on record, and takes a verdict of its own.",
      ),
      this.#notes("Reason", "What is better here?"),
      nameField(),
      h("div", { class: "row decisions" }, this.buttons),
      this.message,
    ];
  }

  #history() {
    const { verdicts } = this.instrument;
    if (!verdicts.length) return null;
    return h(
      "details",
      { class: "history" },
      h("summary", {}, `All verdicts (${verdicts.length})`),
      h(
        "ul",
        {},
        [...verdicts]
          .reverse()
          .map((verdict) =>
            h(
              "li",
              {},
              h("span", { class: verdict.decision === "approved" ? "good" : "bad" }, verdictLine(verdict)),
              verdict.notes && h("p", { class: "quiet" }, verdict.notes),
            ),
          ),
      ),
    );
  }

  async #give(decision) {
    const left = this.instrument.criteria.filter((name) => !this.#draft.criteria?.[name]);
    const unrated = left.length
      ? ` Not rated: ${left.map((name) => words(name).toLowerCase()).join(", ")}.`
      : "";
    await this.#write(
      "verdicts",
      {
        ...this.#about(),
        decision,
        seen: this.seen,
        criteria: this.#draft.criteria ?? {},
        notes: this.#draft.notes ?? "",
      },
      `${words(decision)}.${unrated}`,
      (error) => this.#conflict(error, decision),
    );
  }

  async #choose() {
    if (!this.#draft.notes?.trim()) return this.#say("Say in a few words why.");
    await this.#write(
      "choices",
      {
        ...this.#about(),
        reason: this.#draft.notes,
        selected_sha256: this.training.selection?.checkpoint_sha256 ?? "",
      },
      `Step ${steps(this.checkpoint.step)} is selected. It takes a verdict now.`,
    );
  }

  #about() {
    return {
      training: this.training.id,
      step: this.checkpoint.step,
      checkpoint_sha256: this.checkpoint.sha256,
      listener: listener(),
    };
  }

  async #write(what, data, done, onconflict) {
    if (!listener()) return this.#say("Say who listens: your name is missing.");
    if (this.#busy) return;
    this.#setBusy(true);
    try {
      await post(`/api${place(this.#slug, what)}`, data);
    } catch (error) {
      if (error.data?.conflict === "verdict" && onconflict) onconflict(error);
      else this.#say(error.message, error.data?.conflict && this.#reloadButton());
      return;
    } finally {
      this.#setBusy(false);
    }
    this.#dropDraft();
    notice(done, "done");
    await this.#onwritten();
  }

  // Somebody else was faster: theirs is shown, and this one goes in only if it is meant to.
  #conflict(error, decision) {
    this.seen = error.data.seen;
    const theirs = error.data.verdicts.map((verdict) =>
      h(
        "blockquote",
        {},
        h("p", {}, verdictLine(verdict)),
        h(
          "p",
          { class: "quiet" },
          Object.entries(verdict.criteria)
            .map(([name, rating]) => `${words(name)}: ${rating}`)
            .join(" · "),
        ),
        verdict.notes && h("p", {}, verdict.notes),
      ),
    );
    const again = h(
      "button",
      { type: "button", onclick: () => this.#give(decision) },
      `${NEEDED[decision]} all the same`,
    );
    this.#say(error.message, theirs, h("div", { class: "row" }, again, this.#reloadButton()));
  }

  #reloadButton() {
    return h("button", { type: "button", onclick: () => this.#onwritten() }, "Show what is there now");
  }

  #setBusy(busy) {
    this.#busy = busy;
    for (const button of this.buttons) button.disabled = busy;
  }

  #say(text, ...more) {
    show(this.message, h("p", {}, text), more);
    this.message.scrollIntoView({ block: "nearest" });
  }

  get #key() {
    return `morphene:draft:${this.#slug}:${this.checkpoint.sha256}:${this.isSelected ? "verdict" : "choice"}`;
  }

  #readDraft() {
    try {
      return JSON.parse(localStorage.getItem(this.#key)) ?? {};
    } catch {
      return {};
    }
  }

  #keep(change) {
    this.#draft = { ...this.#draft, ...change };
    localStorage.setItem(this.#key, JSON.stringify(this.#draft));
  }

  #dropDraft() {
    localStorage.removeItem(this.#key);
  }
}
