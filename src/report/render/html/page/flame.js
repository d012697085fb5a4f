// Flame graph of the stacks that acquired, and the difference to another run.
import flamegraph from "d3-flame-graph";
import { select } from "d3-selection";
import { button, calm, check, choice, clear, make, section } from "./dom.js";
import { csvButton } from "./csv.js";
import { pageData, read } from "./data.js";
import { onTheme } from "./theme.js";
import { duration, functionOf, number, shortPlace } from "./words.js";

const METRICS = {
  never: { name: "never closed", of: (site) => site.never_closed, show: (value) => `${number(Math.round(value))} never closed` },
  hold: { name: "hold time", of: (site) => site.hold_sum ?? 0, show: (value) => `held for ${duration(value)} in all` },
  opened: { name: "acquires", of: (site) => site.opened, show: (value) => `${number(Math.round(value))} acquired` },
};

function child(node, name, frame) {
  node.index ??= new Map();
  let next = node.index.get(name);
  if (!next) {
    next = { name, frame, children: [], parent: node, value: 0, self: [0, 0], total: [0, 0] };
    node.index.set(name, next);
    node.children.push(next);
  }
  return next;
}

// Adds a run to the tree; which: 0 for this one, 1 for the one it is compared with, which is told
// by functions and files only, because lines move.
function add(root, model, metric, which, { libraries, lines }) {
  for (const site of model.sites) {
    const value = metric.of(site);
    if (!(value > 0) || site.kind === "statement") continue;
    let frames = model.stack(site.stack);
    const own = frames.filter((frame) => frame.owner === "user");
    if (!libraries && own.length) frames = own;
    let node = root;
    root.total[which] += value;
    for (const frame of frames.reverse()) {
      const file = frame.file ? (lines ? shortPlace(frame) : frame.file.replace(/^.*\//, "")) : shortPlace(frame);
      node = child(node, `${functionOf(frame)} ${file}`.trim(), frame);
      node.total[which] += value;
    }
    node.self[which] += value;
  }
}

// How wide each frame is: as this run has it; compared, as the larger of both, so that what is gone
// stays in sight.
function widths(node) {
  node.children.sort((a, b) => b.total[0] - a.total[0] || (a.name < b.name ? -1 : 1));
  node.value = Math.max(node.self[0], node.self[1]);
  for (const next of node.children) node.value += widths(next);
  return node.value;
}

class Flame {
  constructor(model) {
    this.model = model;
    this.metric = model.neverClosed > 0 ? "never" : "opened";
    this.layout = "icicle";
    this.libraries = false;
    this.chart = make("div", { class: "flame", tabindex: "0", role: "group", "aria-label": "Flame graph; arrow keys move between frames, Enter zooms in, Escape out", onkeydown: (event) => this.key(event) });
    this.text = make("p", { class: "frame-text", role: "status" });
    this.compared = make("span", { class: "hint" });
    this.back = button("Forget the other run", () => { this.other = undefined; this.draw(); }, { class: "quiet", hidden: true });
    this.element = make("div", {}, this.controls(), this.chart, this.text, this.list = make("details"));
    queueMicrotask(() => this.draw());
    onTheme(() => this.element.isConnected && this.draw());
    let width = 0;
    new ResizeObserver(calm(() => { if (this.chart.clientWidth !== width) { width = this.chart.clientWidth; this.draw(); } })).observe(this.chart);
  }

  controls() {
    const search = make("input", { type: "search", "aria-label": "Search the flame graph", placeholder: "Search", oninput: calm(() => { this.graph?.[search.value ? "search" : "clear"](search.value); }) });
    const file = make("input", { type: "file", accept: ".html,.htm", class: "hidden", "aria-label": "Page of another run", tabindex: "-1", onchange: () => this.compare(file) });
    return make("div", { class: "controls" },
      choice("Width", [["never", "sessions never closed"], ["hold", "hold time"], ["opened", "acquires"]].sort((a) => (a[0] === this.metric ? -1 : 0)), (value) => { this.metric = value; this.draw(); }),
      choice("Layout", [["icicle", "icicle (root at the top)"], ["flame", "flame (root at the bottom)"]], (value) => { this.layout = value; this.draw(); }),
      check("Library frames", false, (value) => { this.libraries = value; this.draw(); }), search,
      button("Zoom out", () => this.graph?.resetZoom(), { class: "quiet" }),
      button("Compare with another page …", () => file.click(), { class: "quiet" }), this.back, csvButton("flame", () => this.csv()), this.compared, file);
  }

  async compare(file) {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    try {
      this.other = read(pageData(await chosen.text()));
      this.otherName = chosen.name;
    } catch (error) {
      this.other = undefined;
      this.compared.textContent = `${chosen.name} cannot be compared: ${error.message}`;
      return;
    }
    this.draw();
  }

  tree() {
    const root = { name: "all", children: [], value: 0, self: [0, 0], total: [0, 0] };
    const how = { libraries: this.libraries, lines: !this.other };
    add(root, this.model, METRICS[this.metric], 0, how);
    if (this.other) add(root, this.other, METRICS[this.metric], 1, how);
    widths(root);
    return root;
  }

  colour(node) {
    if (!node.parent) return "var(--flame-root)";
    if (this.other) {
      const [now, before] = node.total, change = (now - before) / Math.max(now, before);
      if (Math.abs(change) < 0.005) return "var(--flame-same)";
      return `color-mix(in srgb, var(${change > 0 ? "--flame-more" : "--flame-less"}) ${Math.round(35 + 65 * Math.abs(change))}%, var(--flame-same))`;
    }
    let hash = 0;
    for (const letter of node.frame?.file || node.name) hash = (hash * 31 + letter.charCodeAt(0)) % 997;
    return `var(--flame-${node.frame?.owner === "user" ? hash % 4 : "library"})`;
  }

  describe(node) {
    const { show } = METRICS[this.metric];
    const share = this.root.total[0] ? ` (${((node.total[0] / this.root.total[0]) * 100).toFixed(1)} %)` : "";
    const self = node.self[0] && node.children.length ? `, ${show(node.self[0])} here` : "";
    const change = this.other ? `; the other run: ${show(node.total[1])}` : "";
    return `${node.name}: ${show(node.total[0])}${share}${self}${change}`;
  }

  draw() {
    this.root = this.tree();
    this.current = this.root;
    this.back.hidden = !this.other;
    this.compared.textContent = this.other ? `Compared with ${this.otherName}: red is more here, blue less.` : "";
    this.graph?.destroy?.();
    clear(this.chart);
    if (!(this.root.value > 0)) {
      this.chart.append(make("p", { class: "hint" }, "There is nothing of that."));
      clear(this.list);
      return;
    }
    this.graph = flamegraph().width(this.chart.clientWidth || 800).cellHeight(22).minFrameSize(2)
      .transitionDuration(matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 250)
      .inverted(this.layout === "icicle").sort(false).tooltip(false).title("")
      .setColorMapper((node) => this.colour(node.data))
      .setLabelHandler((node) => node.data.name).onHover((node) => { this.text.textContent = this.describe(node.data); })
      .setSearchHandler((results, sum) => { this.text.textContent = `Found: ${METRICS[this.metric].show(sum)}`; })
      .onClick((node) => this.choose(node.data, false));
    select(this.chart).datum(this.root).call(this.graph);
    const svg = this.chart.querySelector("svg");
    svg?.setAttribute("aria-hidden", "true");
    this.choose(this.root, false);
    this.table();
  }

  choose(node, zoom) {
    this.current = node;
    this.text.textContent = this.describe(node);
    select(this.chart).selectAll("g.frame").classed("chosen", (found) => found.data === node);
    if (zoom) select(this.chart).selectAll("g").each((found) => { if (found?.data === node && found.depth !== undefined) this.zoomed = found; });
    if (zoom && this.zoomed?.data === node) this.graph.zoomTo(this.zoomed);
  }

  key(event) {
    if (!this.root || event.target !== this.chart) return;
    const inwards = this.layout === "icicle" ? "ArrowDown" : "ArrowUp", outwards = this.layout === "icicle" ? "ArrowUp" : "ArrowDown";
    const siblings = this.current.parent?.children ?? [this.current], at = siblings.indexOf(this.current);
    const next = { [inwards]: this.current.children[0], [outwards]: this.current.parent, ArrowRight: siblings[at + 1], ArrowLeft: siblings[at - 1] };
    if (event.key in next) this.choose(next[event.key] ?? this.current, false);
    else if (event.key === "Enter") this.choose(this.current, true);
    else if (event.key === "Escape") this.graph.resetZoom();
    else return;
    event.preventDefault();
  }

  // Every function once, the largest first.
  functions() {
    const all = new Map();
    const visit = (node, above) => {
      const entry = all.get(node.name) ?? { name: node.name, self: [0, 0], total: [0, 0] };
      all.set(node.name, entry);
      for (const which of [0, 1]) {
        entry.self[which] += node.self[which];
        if (!above.has(node.name)) entry.total[which] += node.total[which];
      }
      const inside = new Set(above).add(node.name);
      for (const next of node.children) visit(next, inside);
    };
    for (const node of this.root.children) visit(node, new Set());
    return [...all.values()].sort((a, b) => b.total[0] - a.total[0] || b.self[0] - a.self[0]);
  }

  csv() {
    return [["function", "total", "self", ...(this.other ? ["other_total", "other_self"] : [])],
      ...this.functions().map((entry) => [entry.name, entry.total[0], entry.self[0], ...(this.other ? [entry.total[1], entry.self[1]] : [])])];
  }

  table() {
    const show = (value) => (this.metric === "hold" ? duration(value) : number(Math.round(value)));
    clear(this.list).append(make("summary", {}, "The same as a table"), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Functions" },
      make("table", { class: "plain" }, make("thead", {}, make("tr", {}, ["Function", "In all", "Itself", ...(this.other ? ["Other run"] : [])].map((name) => make("th", { scope: "col" }, name)))),
        make("tbody", {}, this.functions().slice(0, 60).map((entry) => make("tr", {}, make("td", {}, entry.name), make("td", { class: "number" }, show(entry.total[0])), make("td", { class: "number" }, show(entry.self[0])), this.other && make("td", { class: "number" }, show(entry.total[1]))))))));
  }
}

export function flame(model) {
  if (!model.sites.some((site) => site.stack !== undefined && site.opened > 0)) return undefined;
  return section("flame", "Flame graph", new Flame(model).element);
}
