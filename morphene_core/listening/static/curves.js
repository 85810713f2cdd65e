// Curves over the steps of a training: a large one of the criteria, a small one of each metric.
//
// They share what is hovered and what is open, so that one look goes through all of them.

import { h, show, svg } from "./dom.js";
import { number, shortSteps, steps, words } from "./format.js";

const PAD = { side: 8, top: 8, bottom: 8 };

/** Charts that are hovered and clicked together. */
export class Curves {
  #charts = [];
  #onopen;
  #observer = new ResizeObserver((entries) => {
    for (const { target } of entries) target.chart.draw();
  });

  constructor(onopen) {
    this.#onopen = onopen;
  }

  /** Forget all charts. */
  clear() {
    this.#observer.disconnect();
    this.#charts = [];
  }

  /** Return the chart of the scores by criterion, 1 at the thresholds. */
  overview(training) {
    const names = [...new Set(training.checkpoints.flatMap((c) => Object.keys(c.scores)))];
    const series = names.map((name, i) => ({
      name: words(name).replace(" reconstruction", "").replace(" progression", ""),
      kind: `line-${i + 1}`,
      values: valuesOf(training, (c) => c.scores[name]),
    }));
    return this.#add(
      new Chart(series, training, {
        title: "Score by criterion",
        hint: "0 is perfect, 1 at the thresholds",
        threshold: 1,
        better: "lower",
        height: 100,
        legend: true,
      }),
    );
  }

  /** Return the charts of all metrics, under their criteria. */
  metrics(metrics, training, other) {
    const groups = Map.groupBy(metrics, (metric) => metric.criterion);
    return [...groups].map(([criterion, own]) =>
      h(
        "section",
        { class: "group" },
        h("h3", {}, words(criterion)),
        h(
          "div",
          { class: "multiples" },
          own.map((metric) => this.#metric(metric, training, other)),
        ),
      ),
    );
  }

  #metric(metric, training, other) {
    const of = (found) => valuesOf(found, (c) => c.metrics[metric.name]);
    const series = [{ name: metric.title, kind: "line-1", values: of(training) }];
    if (other && other.id !== training.id)
      series.unshift({ name: other.id, kind: "line-other", values: of(other) });
    return this.#add(new Chart(series, training, { ...metric, height: 70 }));
  }

  /** Mark the checkpoint that is open. */
  open(step) {
    for (const chart of this.#charts) chart.open(step);
  }

  #add(chart) {
    this.#charts.push(chart);
    chart.surface.chart = chart;
    this.#observer.observe(chart.surface);
    const hover = (step) => this.#charts.forEach((each) => each.hover(step));
    chart.surface.addEventListener("pointermove", (event) => hover(chart.nearest(event)));
    chart.surface.addEventListener("pointerleave", () => hover(null));
    chart.surface.addEventListener("click", (event) => this.#onopen(chart.nearest(event)));
    return chart.element;
  }
}

function valuesOf(training, pick) {
  const pairs = training.checkpoints.map((c) => [c.step, pick(c)]);
  return new Map(pairs.filter(([, value]) => value !== null && value !== undefined));
}

class Chart {
  #series;
  #training;
  #about;
  #steps;
  #hovered = null;
  #opened = null;

  constructor(series, training, about) {
    this.#series = series;
    this.#training = training;
    this.#about = about;
    this.#steps = training.checkpoints.map((c) => c.step);
    this.readout = h("span", { class: "readout" });
    this.surface = svg("svg", { height: about.height, role: "img", "aria-label": this.#inWords() });
    this.element = h(
      "figure",
      { class: "chart" },
      h(
        "figcaption",
        {},
        h(
          "span",
          { class: "chart-title", title: about.meaning ? `${about.meaning} From: ${about.source}` : null },
          about.title,
          about.unit && h("small", {}, ` ${about.unit}`),
          about.hint && h("small", {}, ` ${about.hint}`),
        ),
        this.readout,
      ),
      this.surface,
    );
  }

  hover(step) {
    if (step === this.#hovered) return;
    this.#hovered = step;
    this.#mark();
  }

  open(step) {
    this.#opened = step;
    this.#mark();
  }

  nearest(event) {
    const x = event.clientX - this.surface.getBoundingClientRect().left;
    const distance = (step) => Math.abs(this.#x(step) - x);
    return this.#steps.reduce((best, step) => (distance(step) < distance(best) ? step : best));
  }

  draw() {
    this.surface.setAttribute("width", "100%");
    this.width = this.surface.clientWidth;
    const { threshold } = this.#about;
    const values = this.#series.flatMap(({ values }) => [...values.values()]);
    this.low = Math.min(threshold, ...values);
    this.high = Math.max(threshold, ...values);
    const room = (this.high - this.low || 1) * 0.06;
    [this.low, this.high] = [this.low - room, this.high + room];
    this.marks = svg("g", { class: "marks" });
    show(
      this.surface,
      this.#phases(),
      this.#threshold(),
      this.#series.map((one) => this.#line(one)),
      this.marks,
    );
    this.#mark();
  }

  #phases() {
    const { phase_1_steps: boundary, checkpoints } = this.#training;
    const first = boundary ?? Math.max(0, ...checkpoints.filter((c) => c.phase === 1).map((c) => c.step));
    if (!first || !this.#steps.some((step) => step > first)) return null;
    const x = this.#x(first);
    const box = { x, y: 0, width: Math.max(0, this.width - x), height: this.#about.height };
    return [
      svg("rect", { class: "phase", ...box }),
      svg("line", { class: "boundary", x1: x, x2: x, y1: 0, y2: this.#about.height }),
      this.#about.legend && svg("text", { class: "axis", x: x + 5, y: 12 }, "adversarial phase"),
    ].filter(Boolean);
  }

  #threshold() {
    const y = this.#y(this.#about.threshold);
    const text = this.#about.legend ? "thresholds" : number(this.#about.threshold);
    const below = y < 20;
    return [
      svg("line", { class: "threshold", x1: 0, x2: this.width, y1: y, y2: y }),
      svg(
        "text",
        { class: "axis", x: this.width - 2, y: below ? y + 11 : y - 3, "text-anchor": "end" },
        text,
      ),
    ];
  }

  #line({ kind, values }) {
    const places = [...values].map(([step, value]) => [this.#x(step), this.#y(value)]);
    const path = places.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    return svg(
      "g",
      { class: kind },
      svg("path", { class: "line", d: path }),
      places.map(([x, y]) => svg("circle", { class: "point", cx: x, cy: y, r: 2.4 })),
    );
  }

  #mark() {
    if (!this.marks) return;
    const step = this.#hovered ?? this.#opened;
    show(
      this.marks,
      this.#upright(this.#opened, "opened"),
      this.#hovered !== null && this.#upright(this.#hovered, "hovered"),
      this.#series
        .filter(({ values }) => values.has(step))
        .map(({ kind, values }) =>
          svg(
            "g",
            { class: kind },
            svg("circle", { class: "point on", cx: this.#x(step), cy: this.#y(values.get(step)), r: 4 }),
          ),
        ),
    );
    show(this.readout, step !== null && this.#readoutAt(step));
  }

  #readoutAt(step) {
    if (this.#about.legend) {
      const entries = this.#series.map(({ name, kind, values }) =>
        h("span", { class: `legend ${kind}` }, name, " ", h("b", {}, number(values.get(step)))),
      );
      return [...entries, h("span", { class: "quiet" }, `step ${steps(step)}`)];
    }
    const own = this.#series.at(-1).values.get(step);
    const prefix = this.#hovered !== null ? h("span", { class: "quiet" }, `${shortSteps(step)}: `) : null;
    return [prefix, h("b", { class: this.#misses(own) ? "bad" : null }, number(own))];
  }

  #misses(value) {
    if (value === undefined) return false;
    const { threshold, better } = this.#about;
    return better === "lower" ? value > threshold : value < threshold;
  }

  #upright(step, kind) {
    if (step === null || !this.#steps.includes(step)) return null;
    const x = this.#x(step);
    return svg("line", { class: kind, x1: x, x2: x, y1: 0, y2: this.#about.height });
  }

  #x(step) {
    const [first, last] = [this.#steps[0], this.#steps.at(-1)];
    const share = last > first ? (step - first) / (last - first) : 0.5;
    // The large chart stands over the list of checkpoints: each point in the middle of its entry.
    const side = this.#about.legend ? this.width / (2 * this.#steps.length) : PAD.side;
    return side + share * (this.width - 2 * side);
  }

  #y(value) {
    const height = this.#about.height - PAD.top - PAD.bottom;
    return PAD.top + (1 - (value - this.low) / (this.high - this.low)) * height;
  }

  #inWords() {
    const of = ({ name, values }) =>
      `${name}: ${[...values].map(([step, value]) => `step ${step} ${number(value)}`).join(", ") || "no values"}`;
    return `${this.#about.title}, threshold ${number(this.#about.threshold)}. ${this.#series.map(of).join(". ")}`;
  }
}
