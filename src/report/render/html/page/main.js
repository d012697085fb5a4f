// The page: reads the data that is in it and shows it, section by section.
import "uplot/dist/uPlot.min.css";
import "./page.css";
import { autopsy } from "./autopsy.js";
import { read } from "./data.js";
import { detail } from "./detail.js";
import { clear, make, section } from "./dom.js";
import { flame } from "./flame.js";
import { histograms } from "./histogram.js";
import { occupancy } from "./occupancy.js";
import { processes } from "./processes.js";
import { sources } from "./source.js";
import { Table } from "./table.js";
import { themeControl } from "./theme.js";
import { verdict } from "./verdict.js";
import { base, functionOf, number, plural, shortPlace } from "./words.js";

const PRINTED_STACKS = 20;

function misuse(model) {
  if (!model.misuse.length) return undefined;
  return section("misuse", "Calls that make no sense", make("ul", { class: "plain-list" }, model.misuse.slice(0, 100).map((entry) => {
    const frame = model.frames[entry.name];
    return make("li", {}, make("b", {}, `${number(entry.count)} × ${entry.kind}`), entry.called && ` by ${entry.called}`, ` in ${functionOf(frame)} ${shortPlace(frame)}`,
      entry.site && model.site.has(entry.site) && [", acquired at ", make("a", { href: `#site-${entry.site}` }, model.site.get(entry.site).place)]);
  })));
}

function subject(model) {
  const [first] = model.processes;
  if (!first) return "";
  const more = model.processes.length > 1 ? ` and ${plural(model.processes.length - 1, "more process", "more processes")}` : "";
  return `${base(first.exe)}[${first.pid}]${more}`;
}

function contents(list) {
  const nav = document.getElementById("sections");
  for (const element of list) {
    const title = element.querySelector("h2")?.textContent;
    if (title) nav.append(make("a", { href: `#${element.id}` }, element.id === "autopsy" ? "Ran dry" : title));
  }
}

// On paper all rows are there, and the stacks of the worst sites.
function printing(model, table) {
  let added;
  addEventListener("beforeprint", () => {
    table.print(true);
    added = section("printed", "Stacks of the worst sites", model.leaking.slice(0, PRINTED_STACKS).map((site) => [make("h3", {}, `${site.label} ${site.place}`), detail(model, site)]));
    table.element.after(added);
  });
  addEventListener("afterprint", () => {
    added?.remove();
    table.print(false);
  });
}

function follow(table) {
  const go = () => {
    const id = /^#site-(.+)$/.exec(location.hash)?.[1];
    if (id) table.reveal(id);
  };
  addEventListener("hashchange", go);
  document.addEventListener("click", (event) => { // the same link again
    if (event.target.closest?.("a")?.hash === location.hash && location.hash.startsWith("#site-")) go();
  });
  setTimeout(go, 0);
}

function show() {
  const model = read(document.getElementById("data").textContent);
  const table = new Table(model);
  const list = [verdict(model), autopsy(model), table.element, misuse(model), occupancy(model), flame(model), histograms(model), sources(model), processes(model)].filter(Boolean);
  clear(document.getElementById("page")).append(...list);
  document.getElementById("subject").textContent = subject(model);
  document.title = `${subject(model)} — ${model.neverClosed ? `${plural(model.neverClosed, "session")} never closed` : "unclosed"}`;
  document.getElementById("made").textContent = `Made by unclosed${model.made ? ` at ${model.made.replace("T", " ").replace("Z", " UTC")}` : ""}. This file needs no network and loads nothing.`;
  contents(list);
  printing(model, table);
  follow(table);
}

themeControl(document.getElementById("theme"));
try {
  show();
} catch (error) {
  document.getElementById("page").replaceChildren(make("p", { class: "failed", role: "alert" }, `This page cannot be shown: ${error.message}`));
  throw error;
}
