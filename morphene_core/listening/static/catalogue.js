// All instruments at a glance; what waits for ears comes first.

import { get, place } from "./api.js";
import { h, show } from "./dom.js";
import { counted, day, duration, shortSteps, steps } from "./format.js";
import { bind } from "./keys.js";
import { STATES, stateMark } from "./parts.js";

const POLL = 15000;
const TIERS = ["flagship", "strong", "experimental"];

const filter = { text: "", tier: "", state: "" };

export async function open(page) {
  let data = await get("/api/catalogue");
  const waiting = h("section", { "aria-labelledby": "waiting" });
  const summary = h("p", { class: "quiet" });
  const table = h("tbody");
  const count = h("span", { class: "quiet", role: "status" });
  const update = () => {
    const { instruments } = data;
    show(summary, summaryOf(instruments));
    show(waiting, waitingFor(instruments));
    const shown = instruments.filter(matches);
    show(table, shown.map(row));
    count.textContent = shown.length < instruments.length ? `${shown.length} of ${instruments.length}` : "";
  };
  show(
    page,
    h("header", { class: "head" }, h("div", {}, h("h1", {}, "Catalogue"), summary)),
    waiting,
    h(
      "section",
      { "aria-labelledby": "all" },
      h("div", { class: "row spread" }, h("h2", { id: "all" }, "All instruments ", count), filters(update)),
      h("div", { class: "wide" }, h("table", { class: "catalogue" }, columns(), table)),
    ),
  );
  update();
  bind([
    {
      keys: ["/"],
      label: "/",
      text: "Find an instrument",
      run: () => document.getElementById("find").focus(),
    },
  ]);
  setInterval(async () => {
    if (document.hidden) return;
    data = await get("/api/catalogue").catch(() => data);
    update();
  }, POLL);
}

function columns() {
  const names = ["No.", "Instrument", "Tier", "State", "Checkpoints", "Verdict"];
  return h(
    "thead",
    {},
    h(
      "tr",
      {},
      names.map((name) => h("th", { scope: "col" }, name)),
    ),
  );
}

function summaryOf(instruments) {
  const count = (...states) => instruments.filter((i) => states.includes(i.state)).length;
  return [
    counted(instruments.length, "instrument"),
    `${count("delivered")} delivered`,
    `${count("approved")} approved`,
    `${count("training")} in training`,
    `${count("empty")} without recordings`,
  ].join(" · ");
}

function waitingFor(instruments) {
  const list = instruments.filter((instrument) => instrument.waits);
  const title = h(
    "h2",
    { id: "waiting" },
    "Waiting for ears ",
    list.length > 0 && h("span", { class: "badge" }, list.length),
  );
  if (!list.length) {
    return [
      title,
      h(
        "p",
        { class: "quiet box" },
        "Nothing waits. An instrument appears here once a checkpoint is selected and nobody has judged it.",
      ),
    ];
  }
  return [
    title,
    h(
      "ul",
      { class: "cards" },
      list.map((instrument) =>
        h(
          "li",
          {},
          h(
            "a",
            { class: "card", href: place(instrument.slug) },
            h("strong", {}, instrument.name),
            h("span", { class: "quiet" }, `${instrument.musical} + ${instrument.nonmusical}`),
            h(
              "span",
              {},
              `Step ${steps(instrument.selection.step)} selected`,
              instrument.selection.by === "ranking" ? " by the ranking" : ` by ${instrument.selection.by}`,
            ),
            h(
              "span",
              { class: "quiet" },
              instrument.exported ? "exported, ready to approve" : "not exported yet",
            ),
          ),
        ),
      ),
    ),
  ];
}

function filters(update) {
  const changed = (key) => (event) => {
    filter[key] = event.target.value;
    update();
  };
  const choice = (key, label, names) =>
    h(
      "select",
      { "aria-label": label, onchange: changed(key) },
      h("option", { value: "" }, label),
      names.map(([value, text]) => h("option", { value }, text)),
    );
  return h(
    "div",
    { class: "row" },
    h("input", {
      type: "search",
      id: "find",
      placeholder: "Find",
      "aria-label": "Find an instrument",
      oninput: changed("text"),
    }),
    choice(
      "tier",
      "All tiers",
      TIERS.map((tier) => [tier, tier]),
    ),
    choice(
      "state",
      "All states",
      Object.entries(STATES).map(([state, [text]]) => [state, text]),
    ),
  );
}

function matches(instrument) {
  const text = `${instrument.number} ${instrument.name} ${instrument.slug} ${instrument.musical} ${instrument.nonmusical}`;
  return (
    text.toLowerCase().includes(filter.text.trim().toLowerCase()) &&
    (!filter.tier || instrument.tier === filter.tier) &&
    (!filter.state || instrument.state === filter.state)
  );
}

function row(instrument) {
  return h(
    "tr",
    { class: instrument.waits ? "waits" : null },
    h("td", { class: "number" }, instrument.number),
    h(
      "th",
      { scope: "row" },
      h("a", { href: place(instrument.slug) }, instrument.name),
      h("span", { class: "quiet" }, ` ${instrument.musical} + ${instrument.nonmusical}`),
    ),
    h("td", { class: "quiet" }, instrument.tier),
    h(
      "td",
      {},
      stateMark(instrument.state),
      progress(instrument.running),
      instrument.problem && h("span", { class: "bad", title: instrument.problem }, " damaged"),
    ),
    h("td", {}, checkpoints(instrument)),
    h(
      "td",
      { class: instrument.verdict ? null : "quiet" },
      instrument.verdict ? verdict(instrument.verdict) : next(instrument),
    ),
  );
}

function progress(running) {
  if (!running) return null;
  const { step, total_steps: total, seconds_left: left } = running;
  return [
    total && h("progress", { max: total, value: step, "aria-label": "Progress of the training" }),
    h(
      "span",
      { class: "quiet" },
      total ? `${shortSteps(step)} of ${shortSteps(total)}` : running.doing,
      left ? ` · ${duration(left)} to go` : "",
    ),
  ];
}

function checkpoints(instrument) {
  if (!instrument.checkpoints) return h("span", { class: "quiet" }, "–");
  const { checkpoints: all, audited } = instrument;
  return [steps(all), h("span", { class: "quiet" }, audited === all ? " audited" : ` · ${audited} audited`)];
}

function verdict({ decision, listener, at }) {
  return [
    h("span", { class: decision === "approved" ? "good" : "bad" }, decision),
    h("span", { class: "quiet" }, ` by ${listener}, ${day(at)}`),
  ];
}

function next(instrument) {
  if (instrument.waits) return h("a", { href: place(instrument.slug) }, "Listen and decide");
  if (["sources", "prepared"].includes(instrument.state)) {
    return h("a", { href: place(instrument.slug, "sources") }, "Hear the recordings");
  }
  return "–";
}
