// The morph slider: from one end to the other through the seven renders, at the current position.
//
// Between two renders both are heard. Their weights keep the power constant for as much as the two
// have in common: renders that are the same would otherwise get louder half way.

import { h } from "./dom.js";

const STOPS = [
  "musical_recon",
  "morph_00",
  "morph_25",
  "morph_50",
  "morph_75",
  "morph_100",
  "nonmusical_recon",
];
const LABELS = ["recon.", "0 %", "25 %", "50 %", "75 %", "100 %", "recon."];

export class MorphSlider extends EventTarget {
  #engine;
  #side;
  #on = false;
  #correlations = new WeakMap(); // by buffer, then by the buffer after it

  constructor(engine, side) {
    super();
    this.#engine = engine;
    this.#side = side;
    this.input = h("input", {
      type: "range",
      min: 0,
      max: STOPS.length - 1,
      step: 0.01,
      value: 0,
      id: "morph",
      "aria-label": "Morph, from musical to non-musical",
      list: "morph-stops",
      oninput: () => this.#moved(),
    });
    this.button = h(
      "button",
      { type: "button", class: "lane-name", onclick: () => this.toggle() },
      h("kbd", {}, "m"),
      h("span", {}, "Morph slider"),
    );
    this.element = h(
      "div",
      {
        class: "lane morph",
        title: "A crossfade of the seven renders; the instrument itself morphs in its latent space",
      },
      this.button,
      h(
        "div",
        { class: "morph-slide" },
        this.input,
        h(
          "div",
          { class: "morph-stops", "aria-hidden": "true" },
          LABELS.map((label) => h("span", {}, label)),
        ),
      ),
    );
    this.#update();
  }

  get on() {
    return this.#on;
  }

  set on(on) {
    this.#on = on;
    this.#update();
  }

  /** Turn it on or off; return whether it is on. */
  toggle() {
    this.on = !this.#on;
    if (this.#on) this.apply();
    this.dispatchEvent(new Event("change"));
    return this.#on;
  }

  nudge(by) {
    this.input.value = Number(this.input.value) + by;
    this.#moved();
  }

  /** Set the weights of what is heard. */
  apply() {
    const place = Number(this.input.value);
    const below = Math.min(Math.floor(place), STOPS.length - 2);
    const [a, b] = [STOPS[below], STOPS[below + 1]].map((name) => `${this.#side()}:${name}`);
    const on = place - below;
    const common = this.#correlation(this.#engine.buffer(a), this.#engine.buffer(b));
    const power = Math.sqrt((1 - on) ** 2 + on ** 2 + 2 * common * on * (1 - on));
    this.#engine.mix(
      new Map(
        [
          [a, (1 - on) / power],
          [b, on / power],
        ].filter(([, weight]) => weight > 0),
      ),
    );
  }

  #moved() {
    this.on = true;
    this.apply();
    this.dispatchEvent(new Event("change"));
  }

  #update() {
    this.element.classList.toggle("heard", this.#on);
    this.button.setAttribute("aria-pressed", this.#on);
  }

  #correlation(a, b) {
    if (!a || !b) return 0;
    if (!this.#correlations.has(a)) this.#correlations.set(a, new WeakMap());
    const known = this.#correlations.get(a);
    if (!known.has(b)) known.set(b, correlation(a.getChannelData(0), b.getChannelData(0)));
    return known.get(b);
  }
}

function correlation(a, b) {
  let [ab, aa, bb] = [0, 1e-12, 1e-12];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return Math.max(0, ab / Math.sqrt(aa * bb));
}
