// The listening desk: one lane for each sound of an audit, all of them at one position.
//
// One side shows one checkpoint; a second side, another checkpoint of any training beside it.

import { h, notice, show } from "./dom.js";
import { Engine } from "./engine.js";
import { tenths } from "./format.js";
import { bind } from "./keys.js";
import { MorphSlider } from "./morph.js";
import { clear, draw } from "./spectrogram.js";

const TITLES = {
  musical_reference: ["Musical", "reference"],
  musical_recon: ["Musical", "recon."],
  nonmusical_reference: ["Non-musical", "reference"],
  nonmusical_recon: ["Non-musical", "recon."],
  morph_00: ["Morph 0 %", ""],
  morph_25: ["Morph 25 %", ""],
  morph_50: ["Morph 50 %", ""],
  morph_75: ["Morph 75 %", ""],
  morph_100: ["Morph 100 %", ""],
  "export:musical_recon": ["Export", "musical"],
  "export:nonmusical_recon": ["Export", "non-musical"],
  "export:morph_sweep": ["Export", "sweep"],
};
const NAMES = Object.keys(TITLES);
const KEYED = 9;
const SIDES = ["a", "b"];
const SOFTEST = -60; // LUFS: what is below is silent and not matched
const SPREAD = 12; // dB: one sound that is very soft does not pull all others down
const DRAG = 5; // pixels that make a loop out of a click
const SEEK = 1; // seconds
const VOLUME = "morphene:volume";

export class Desk {
  #sides = { a: null, b: null };
  #lanes = new Map();
  #name = "musical_recon";
  #side = "a";
  #matched = true;
  #drawing = [];

  constructor() {
    this.engine = new Engine();
    this.morph = new MorphSlider(this.engine, () => this.#side);
    this.morph.addEventListener("change", () => this.#refresh());
    this.#build();
    this.engine.addEventListener("change", () => this.#refresh());
    this.engine.addEventListener("loaded", ({ detail }) => this.#loaded(detail));
    this.#bindKeys();
    this.#follow();
  }

  /** Show one or two checkpoints: {name, title, sounds, exports}. Playback goes on. */
  async show(a, b = null) {
    this.#sides = { a, b };
    if (!b) this.#side = "a";
    this.element.classList.toggle("two", Boolean(b));
    this.#layLanes();
    this.#showSides();
    const list = [];
    for (const side of SIDES) {
      for (const sound of soundsOf(this.#sides[side]))
        list.push({ ...sound, id: `${side}:${sound.name}`, gain: 1 });
    }
    if (!this.#sound(this.#name)) this.#name = soundsOf(a)[0]?.name ?? this.#name;
    this.#hear();
    this.element.setAttribute("aria-busy", "true");
    this.#drawing = [];
    const loading = this.engine.setSounds(list);
    this.#match();
    await loading;
    await Promise.all(this.#drawing);
    if (this.#sides.a === a && this.#sides.b === b) this.element.removeAttribute("aria-busy");
  }

  /** Hear one sound, of the side that is heard or of another. */
  select(name, side = this.#side) {
    if (!this.#sides[side]) return;
    if (!this.#sound(name, side))
      return notice(`${TITLES[name].join(" ")} is not there for ${this.#sides[side].title}.`);
    [this.#name, this.#side] = [name, side];
    this.morph.on = false;
    this.#hear();
  }

  get heard() {
    return { name: this.#name, side: this.#side };
  }

  #hear() {
    if (this.morph.on) this.morph.apply();
    else this.engine.select(`${this.#side}:${this.#name}`);
  }

  #sound(name, side = this.#side) {
    return soundsOf(this.#sides[side]).find((sound) => sound.name === name);
  }

  #build() {
    this.playButton = h("button", { class: "play", type: "button", onclick: () => this.engine.toggle() });
    this.time = h("output", { class: "time", "aria-label": "Position" });
    this.loopButton = h("button", {
      class: "plain",
      type: "button",
      onclick: () => this.engine.setLoop(null),
    });
    this.sideButtons = h("div", { class: "segments", role: "group", "aria-label": "Which checkpoint" });
    const match = h("input", {
      type: "checkbox",
      checked: true,
      onchange: () => this.#setMatched(match.checked),
    });
    this.matchBox = match;
    const volume = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.01,
      "aria-label": "Volume",
      class: "volume",
      value: localStorage.getItem(VOLUME) ?? 0.9,
      oninput: () => this.#setVolume(volume.value),
    });
    this.#setVolume(volume.value);
    this.ruler = h("div", { class: "ruler", "aria-hidden": "true" });
    this.lanes = h("div", { class: "lanes", role: "group", "aria-label": "Sounds" });
    this.tracks = SIDES.map((side) =>
      h("div", { class: `track ${side}` }, h("div", { class: "region" }), h("div", { class: "cursor" })),
    );
    this.element = h(
      "section",
      { class: "desk", "aria-label": "Player" },
      h(
        "div",
        { class: "transport" },
        this.playButton,
        this.time,
        this.loopButton,
        this.sideButtons,
        h("span", { class: "spread" }),
        h(
          "label",
          { class: "check", title: "All sounds at the loudness of the softest" },
          match,
          "Loudness-matched",
        ),
        h("label", { class: "check" }, "Volume", volume),
      ),
      h(
        "div",
        { class: "stage" },
        this.ruler,
        this.lanes,
        h("div", { class: "overlay", "aria-hidden": "true" }, h("span"), this.tracks),
      ),
    );
  }

  #layLanes() {
    const there = NAMES.filter((name) => SIDES.some((side) => this.#sound(name, side)));
    for (const [name, lane] of this.#lanes)
      if (!there.includes(name)) (this.#lanes.delete(name), lane.row.remove());
    for (const name of there) if (!this.#lanes.has(name)) this.#lanes.set(name, this.#lane(name));
    const rows = there.map((name) => this.#lanes.get(name).row);
    const morphs = there.findIndex((name) => name.startsWith("morph_"));
    if (morphs >= 0) rows.splice(morphs, 0, this.morph.element);
    show(this.lanes, rows);
  }

  #lane(name) {
    const [title, note] = TITLES[name];
    const index = NAMES.indexOf(name);
    const key = index < KEYED ? h("kbd", {}, index + 1) : h("kbd", { class: "none" }, "e");
    const state = h("small", {}, note);
    const button = h(
      "button",
      { class: "lane-name", type: "button", onclick: () => this.select(name) },
      key,
      h("span", {}, title, " ", state),
    );
    const strips = Object.fromEntries(SIDES.map((side) => [side, this.#strip(title)]));
    const row = h(
      "div",
      { class: name.startsWith("export:") ? "lane export" : "lane", "data-name": name },
      button,
      SIDES.map((side) => strips[side].box),
    );
    return { row, button, state, note, strips };
  }

  #strip(title) {
    const canvas = h("canvas", { role: "img", "aria-label": `Spectrogram: ${title}`, width: 1, height: 1 });
    const text = h("span", { class: "strip-note" });
    const box = h("div", { class: "strip", title: "Click: go there. Drag: loop." }, canvas, text);
    this.#bindPointer(box);
    return { box, canvas, text };
  }

  // A click goes there, a drag makes a loop.
  #bindPointer(box) {
    let from = null;
    const at = (event) => {
      const { left, width } = box.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - left) / width)) * this.engine.length;
    };
    box.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      from = { x: event.clientX, time: at(event), dragged: false };
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => {
      if (!from || (!from.dragged && Math.abs(event.clientX - from.x) < DRAG)) return;
      from.dragged = true;
      this.#drawRegion([from.time, at(event)].sort((a, b) => a - b));
    });
    box.addEventListener("pointerup", (event) => {
      const [start, end] = [from?.time ?? 0, at(event)].sort((a, b) => a - b);
      if (from?.dragged && end - start > 0.05) this.engine.setLoop([start, end]);
      else if (from) this.#goTo(end);
      from = null;
    });
  }

  #goTo(time) {
    const loop = this.engine.loop;
    if (loop && (time < loop[0] || time >= loop[1])) this.engine.setLoop(null);
    this.engine.seek(time);
  }

  #showSides() {
    const { a, b } = this.#sides;
    show(
      this.sideButtons,
      b &&
        SIDES.map((side) =>
          h(
            "button",
            {
              type: "button",
              "data-side": side,
              title: this.#sides[side].title,
              onclick: () => this.select(this.#name, side),
            },
            `${side.toUpperCase()} · ${this.#sides[side].name}`,
          ),
        ),
    );
    for (const [name, lane] of this.#lanes) {
      for (const side of SIDES) {
        const sound = this.#sound(name, side);
        lane.strips[side].text.textContent = sound || (side === "b" && !b) ? "" : a ? "not there" : "";
        if (!sound) clear(lane.strips[side].canvas);
      }
    }
  }

  #loaded({ id, url, buffer, error }) {
    const [side, name] = [id[0], id.slice(2)];
    const strip = this.#lanes.get(name)?.strips[side];
    if (!strip || this.#sound(name, side)?.url !== url) return;
    strip.text.textContent = error ?? "";
    strip.box.classList.toggle("broken", Boolean(error));
    if (buffer) this.#drawing.push(draw(strip.canvas, buffer, url, this.engine.length));
    this.#drawRuler();
    this.#refresh();
  }

  // The target is the softest sound, so that nothing has to be made louder than it is.
  #match() {
    const all = SIDES.flatMap((side) =>
      soundsOf(this.#sides[side]).map((sound) => [`${side}:${sound.name}`, sound.lufs]),
    );
    const levels = all
      .map(([, lufs]) => lufs)
      .filter((lufs) => lufs !== null && lufs > SOFTEST)
      .sort((x, y) => x - y);
    const middle = levels[Math.floor(levels.length / 2)];
    const target = Math.max(levels[0], middle - SPREAD);
    const gain = (lufs) =>
      this.#matched && lufs !== null && lufs > SOFTEST ? 10 ** ((target - lufs) / 20) : 1;
    this.engine.match(new Map(all.map(([id, lufs]) => [id, gain(lufs)])));
  }

  #setMatched(matched) {
    this.#matched = this.matchBox.checked = matched;
    this.#match();
  }

  #setVolume(value) {
    localStorage.setItem(VOLUME, value);
    this.engine.volume = Number(value) ** 2; // softer steps at the lower end
  }

  #refresh() {
    const { engine } = this;
    this.playButton.textContent = engine.playing ? "Pause" : "Play";
    this.playButton.setAttribute("aria-pressed", engine.playing);
    const loop = engine.loop;
    this.loopButton.hidden = !loop;
    this.loopButton.textContent = loop ? `Loop ${tenths(loop[0])}–${tenths(loop[1])} ×` : "";
    this.loopButton.title = "Play everything again";
    this.#drawRegion(loop);
    for (const [name, lane] of this.#lanes) {
      const weights = SIDES.map((side) => engine.weights.get(`${side}:${name}`) ?? 0);
      const heard = Math.max(...weights);
      lane.row.classList.toggle("heard", heard > 0.5);
      lane.row.classList.toggle("partly", heard > 0 && heard <= 0.5);
      lane.button.setAttribute("aria-pressed", heard > 0.5);
      SIDES.forEach((side, i) => lane.strips[side].box.classList.toggle("heard", weights[i] > 0));
      lane.state.textContent = engine.isLimited(`${this.#side}:${name}`) ? "softer than matched" : lane.note;
    }
    for (const button of this.sideButtons.children) {
      button.setAttribute("aria-pressed", button.dataset.side === this.#side);
    }
  }

  #drawRegion(loop) {
    const length = this.engine.length || 1;
    for (const track of this.tracks) {
      const region = track.firstChild;
      region.hidden = !loop;
      if (!loop) continue;
      region.style.left = `${(100 * loop[0]) / length}%`;
      region.style.width = `${(100 * (loop[1] - loop[0])) / length}%`;
    }
  }

  #drawRuler() {
    const length = this.engine.length;
    if (!length || this.ruler.dataset.length === `${length}`) return;
    this.ruler.dataset.length = length;
    const step = [0.5, 1, 2, 5, 10].find((s) => length / s <= 12) ?? 15;
    show(
      this.ruler,
      h("span"),
      SIDES.map((side) => {
        const track = h("div", { class: `track ${side}` });
        for (let t = 0; t < length; t += step) {
          const tick = h("span", {}, t % 1 ? t.toFixed(1) : `${t} s`);
          tick.style.left = `${(100 * t) / length}%`;
          track.append(tick);
        }
        return track;
      }),
    );
  }

  #follow() {
    const { engine } = this;
    const share = engine.length ? engine.heardPosition / engine.length : 0;
    for (const track of this.tracks) track.lastChild.style.left = `${100 * share}%`;
    this.time.value = `${tenths(engine.heardPosition)} / ${tenths(engine.length)}`;
    requestAnimationFrame(() => this.#follow());
  }

  #bindKeys() {
    const { engine } = this;
    const digits = Array.from({ length: KEYED }, (_, i) => `${i + 1}`);
    const step = (event) => (event.shiftKey ? SEEK / 10 : SEEK);
    const exported = () => {
      const names = NAMES.slice(KEYED).filter((name) => this.#sound(name));
      if (!names.length) return notice("This checkpoint is not exported, or its export was not rendered.");
      this.select(names[(names.indexOf(this.#name) + 1) % names.length]);
    };
    bind([
      { keys: [" "], label: "Space", text: "Play or pause", run: () => engine.toggle() },
      {
        keys: digits,
        label: "1 – 9",
        text: "Hear that sound, at the same position",
        run: (key) => this.select(NAMES[key - 1]),
      },
      { keys: ["e"], label: "e", text: "Hear what the exported .ts makes", run: exported },
      {
        keys: ["b"],
        label: "b",
        text: "The other checkpoint, when two are compared",
        run: () => this.select(this.#name, this.#side === "a" ? "b" : "a"),
      },
      {
        keys: ["ArrowLeft", "ArrowRight"],
        label: "← →",
        text: "One second back or on (with Shift a tenth)",
        run: (key, event) => this.#goTo(engine.position + (key === "ArrowLeft" ? -1 : 1) * step(event)),
      },
      {
        keys: ["Home"],
        label: "Home",
        text: "To the beginning",
        run: () => this.#goTo(engine.loop?.[0] ?? 0),
      },
      {
        keys: ["["],
        label: "[",
        text: "Begin the loop here",
        run: () => this.#bound(engine.position, engine.loop?.[1] ?? engine.length),
      },
      {
        keys: ["]"],
        label: "]",
        text: "End the loop here",
        run: () => this.#bound(engine.loop?.[0] ?? 0, engine.position),
      },
      { keys: ["x"], label: "x", text: "No loop", run: () => engine.setLoop(null) },
      {
        keys: ["m"],
        label: "m",
        text: "The morph slider, on or off",
        run: () => this.morph.toggle() || this.#hear(),
      },
      {
        keys: [",", "."],
        label: ", .",
        text: "Move the morph slider",
        run: (key) => this.morph.nudge(key === "," ? -0.1 : 0.1),
      },
      {
        keys: ["g"],
        label: "g",
        text: "Loudness matching, on or off",
        run: () => this.#setMatched(!this.#matched),
      },
    ]);
  }

  #bound(start, end) {
    if (end - start > 0.05) this.engine.setLoop([start, end]);
  }
}

function soundsOf(side) {
  if (!side) return [];
  return [...side.sounds, ...side.exports.map((sound) => ({ ...sound, name: `export:${sound.name}` }))];
}
