// How many sessions of a pool were out over time, who held them, who waited.
import uPlot from "uplot";
import { button, choice, clear, colour, make, section } from "./dom.js";
import { csvButton } from "./csv.js";
import { capacity, poolName, startOf } from "./data.js";
import { onTheme } from "./theme.js";
import { clock, duration, number, plural, short } from "./words.js";

const STEPS = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)); // of sessions
export const SHADES = 8; // --site-0 ... of page.css, then --site-rest

// Which sites get a colour of their own: those that held most over the whole time.
function coloured(line) {
  const total = new Map();
  for (const holders of line.holders ?? [])
    for (const [id, count] of Object.entries(holders)) total.set(id, (total.get(id) ?? 0) + count);
  return [...total].sort((a, b) => b[1] - a[1]).slice(0, SHADES).map(([id]) => id);
}

export function siteName(model, id) {
  if (id === "before_attach") return "acquired before the attach";
  const site = model.site.get(id);
  return site ? `${site.label} ${site.place}` : "sites not recorded";
}

// One array for each coloured site and the rest: sums from the last on, so that each is drawn over
// those before.
function stacked(line, ids) {
  const layers = [line.most_out.slice()]; // the rest is what is left of the whole
  const sums = line.most_out.map(() => 0);
  const below = [];
  for (const id of ids) {
    line.most_out.forEach((_, i) => { sums[i] += line.holders?.[i]?.[id] ?? 0; });
    below.push(sums.slice());
  }
  return layers.concat(below.reverse());
}

class Occupancy {
  constructor(model, pool) {
    this.model = model;
    this.pool = pool;
    this.line = pool.occupancy;
    this.ids = coloured(this.line);
    this.start = startOf(model, pool.pid);
    this.count = this.line.most_out.length;
    this.at = Math.max(0, this.line.most_out.indexOf(Math.max(...this.line.most_out)));
    this.chart = make("div", { class: "chart", role: "slider", tabindex: "0", "aria-label": `Sessions out of ${poolName(pool)} over time`,
      "aria-valuemin": "0", "aria-valuemax": Math.max(0, this.count - 1), onkeydown: (event) => this.key(event) });
    this.moment = make("div", { class: "moment", "aria-live": "polite" });
    this.element = make("div", {}, this.legend(), this.chart, this.help(), this.moment);
    queueMicrotask(() => { this.draw(); this.choose(this.at); });
    onTheme(() => this.element.isConnected && this.draw());
    new ResizeObserver(() => this.plot && this.chart.clientWidth !== this.plot.width && this.plot.setSize({ width: this.chart.clientWidth, height: this.plot.height })).observe(this.chart);
  }

  shade(id) {
    const index = this.ids.indexOf(id);
    return index < 0 ? "--site-rest" : `--site-${index}`;
  }

  legend() {
    const chip = (shade, text, id) => make("li", {}, make("span", { class: "chip", style: { background: `var(${shade})` } }), id && this.model.site.has(id) ? make("a", { href: `#site-${id}` }, text) : text);
    return make("ul", { class: "legend", "aria-label": "Colours" }, this.ids.map((id) => chip(this.shade(id), siteName(this.model, id), id)),
      chip("--site-rest", "others"), make("li", {}, make("span", { class: "chip dash" }), "waiting"), make("li", {}, make("span", { class: "chip tri" }), "time-out"));
  }

  help() {
    return make("div", { class: "controls" }, make("span", { class: "hint" }, "Drag to zoom, click a moment to see who held what; arrow keys move, + and − zoom, 0 shows all."),
      button("Show all", () => this.zoom(1e9), { class: "quiet" }), csvButton("occupancy", () => this.csv()));
  }

  csv() {
    const { from, step, most_out, waiting, timeouts, holders } = this.line;
    return [["from_s", "to_s", "most_out", "waiting", "timeouts", "site", "count"],
      ...most_out.flatMap((most, i) => {
        const head = [(from + i * step).toFixed(3), (from + (i + 1) * step).toFixed(3), most, waiting?.[i] ?? "", timeouts?.[i] ?? ""];
        const list = Object.entries(holders?.[i] ?? {});
        return list.length ? list.map(([id, count]) => [...head, siteName(this.model, id), count]) : [[...head, "", ""]];
      })];
  }

  series() {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const shades = ["--site-rest", ...this.ids.map((id) => this.shade(id)).reverse()];
    const areas = shades.map((shade) => ({ stroke: colour("--card"), width: 0.5, fill: colour(shade), paths: stepped, points: { show: false } }));
    return [{}, ...areas, { stroke: colour("--wait"), width: 2.5, paths: stepped, points: { show: false } }];
  }

  data() {
    const { from, step, waiting } = this.line;
    const close = (list) => [...list, list[list.length - 1] ?? 0]; // the last bucket has a width, too
    const x = Array.from({ length: this.count + 1 }, (_, i) => from + i * step);
    return [x, ...stacked(this.line, this.ids).map(close), close(waiting ?? this.line.most_out.map(() => 0))];
  }

  draw() {
    const range = this.plot && [this.plot.scales.x.min, this.plot.scales.x.max];
    this.plot?.destroy();
    clear(this.chart);
    const size = capacity(this.pool);
    const top = Math.max(size ?? 0, this.pool.high_water.count, ...(this.line.waiting ?? [0]), 1);
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "12px system-ui, sans-serif" };
    this.plot = new uPlot({
      width: this.chart.clientWidth || 800, height: 280, legend: { show: false },
      cursor: { points: { show: false }, drag: { x: true, y: false, dist: 6 } },
      scales: { x: { time: false }, y: { range: () => [0, top * 1.12] } },
      axes: [{ ...axis, values: (plot, list) => list.map((value) => this.tick(value)) }, { ...axis, size: 52, incrs: STEPS, values: (plot, list) => list.map(short) }],
      series: this.series(),
      hooks: { draw: [(plot) => this.marks(plot)] },
    }, this.data(), this.chart);
    if (range) this.plot.setScale("x", { min: range[0], max: range[1] });
    this.plot.over.addEventListener("click", (event) => {
      if (this.dragged) return;
      this.choose(Math.floor((this.plot.posToVal(event.offsetX, "x") - this.line.from) / this.line.step));
    });
    this.plot.over.addEventListener("mousedown", (event) => { this.down = event.clientX; this.dragged = false; });
    this.plot.over.addEventListener("mouseup", (event) => { this.dragged = Math.abs(event.clientX - this.down) > 5; });
  }

  tick(value) {
    return this.line.step * this.count > 172800 ? `${(value / 86400).toFixed(1)} d` : value >= 7200 ? `${(value / 3600).toFixed(1)} h` : value >= 120 ? `${+(value / 60).toFixed(1)} min` : `${+value.toFixed(2)} s`;
  }

  marks(plot) {
    const { ctx, bbox } = plot, ratio = devicePixelRatio;
    const x = (value) => plot.valToPos(value, "x", true), y = (value) => plot.valToPos(value, "y", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    const level = (value, text) => {
      ctx.strokeStyle = ctx.fillStyle = colour("--text");
      ctx.lineWidth = ratio;
      ctx.setLineDash([6 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y(value));
      ctx.lineTo(bbox.left + bbox.width, y(value));
      ctx.stroke();
      ctx.fillText(text, bbox.left + 6 * ratio, y(value) - 5 * ratio);
    };
    const { size, overflow } = this.pool;
    if (size !== undefined) level(size, `size ${number(size)}`);
    if (size !== undefined && overflow > 0) level(size + overflow, `size + overflow ${number(size + overflow)}`);
    ctx.setLineDash([]);
    const { from, step, timeouts } = this.line;
    ctx.fillStyle = ctx.strokeStyle = colour("--text");
    ctx.beginPath();
    ctx.arc(x(this.pool.high_water.at), y(this.pool.high_water.count), 4 * ratio, 0, 7);
    ctx.fill();
    const text = `high-water ${number(this.pool.high_water.count)}`;
    const left = Math.min(x(this.pool.high_water.at) + 7 * ratio, bbox.left + bbox.width - ctx.measureText(text).width - 4 * ratio);
    ctx.fillText(text, left, y(this.pool.high_water.count) + 16 * ratio);
    ctx.fillStyle = colour("--wait");
    for (const [i, count] of (timeouts ?? []).entries()) {
      if (!count) continue;
      const middle = x(from + (i + 0.5) * step), base = bbox.top + 14 * ratio;
      ctx.beginPath();
      ctx.moveTo(middle - 6 * ratio, bbox.top + 3 * ratio);
      ctx.lineTo(middle + 6 * ratio, bbox.top + 3 * ratio);
      ctx.lineTo(middle, base);
      ctx.fill();
    }
    ctx.strokeStyle = colour("--accent");
    ctx.lineWidth = 2 * ratio;
    ctx.strokeRect(x(from + this.at * step), bbox.top, Math.max(2 * ratio, x(from + (this.at + 1) * step) - x(from + this.at * step)), bbox.height);
    ctx.restore();
  }

  choose(index) {
    this.at = Math.min(this.count - 1, Math.max(0, index));
    if (!(this.at >= 0)) return;
    const { from, step, most_out, waiting, timeouts, holders } = this.line;
    const begin = from + this.at * step;
    const most = most_out[this.at];
    const list = Object.entries(holders?.[this.at] ?? {}).sort((a, b) => b[1] - a[1]);
    const rest = most - list.reduce((total, [, count]) => total + count, 0);
    if (rest > 0) list.push(["", rest]);
    const words = `${number(most)} out, ${number(waiting?.[this.at] ?? 0)} waiting, ${plural(timeouts?.[this.at] ?? 0, "time-out")}`;
    this.chart.setAttribute("aria-valuenow", this.at);
    this.chart.setAttribute("aria-valuetext", `${duration(begin)} after the start: ${words}`);
    const row = ([id, count]) => make("tr", {}, make("th", { scope: "row" }, make("span", { class: "chip", style: { background: `var(${this.shade(id)})` } }),
      this.model.site.has(id) ? make("a", { href: `#site-${id}` }, siteName(this.model, id)) : id ? siteName(this.model, id) : "other sites"),
    make("td", { class: "bar" }, make("span", { style: { width: `${(count / most) * 100}%`, background: `var(${this.shade(id)})` } })), make("td", { class: "count" }, number(count)));
    clear(this.moment).append(
      make("h3", {}, `${this.start ? `${clock(this.start + begin * 1000)} UTC, ` : ""}${duration(begin)} after the start: ${words}`),
      list.length ? make("table", { class: "histogram" }, make("caption", {}, `Who held them when most were out in these ${duration(step)}`),
        make("thead", { class: "hidden" }, make("tr", {}, make("th", { scope: "col" }, "Site"), make("th", { scope: "col" }, "Share"), make("th", { scope: "col" }, "Held"))), make("tbody", {}, list.map(row))) :
        make("p", { class: "hint" }, most ? "Who held them was not recorded." : "None was out."));
    this.plot?.redraw(false);
  }

  // Shows `factor` times as much, around the chosen moment.
  zoom(factor) {
    const { from, step } = this.line;
    const end = from + this.count * step, { min, max } = this.plot.scales.x;
    const width = Math.min(end - from, Math.max(step * 4, (max - min) * factor));
    const middle = from + (this.at + 0.5) * step;
    const low = Math.max(from, Math.min(end - width, middle - width / 2));
    this.plot.setScale("x", { min: low, max: low + width });
  }

  key(event) {
    const moves = { ArrowLeft: this.at - 1, ArrowDown: this.at - 1, ArrowRight: this.at + 1, ArrowUp: this.at + 1, Home: 0, End: this.count - 1, PageUp: this.at + 10, PageDown: this.at - 10 };
    if (event.key in moves) this.choose(moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0" || event.key === "Escape") this.zoom(1e9);
    else return;
    event.preventDefault();
  }
}

function numbers(pool) {
  const { waits, slow_openings: openings, sizing } = pool;
  const list = [["Size", pool.size === undefined ? "not known" : `${number(pool.size)}${pool.overflow ? ` + ${number(pool.overflow)}` : ""}`],
    ["High-water mark", number(pool.high_water.count)], ["Acquired", number(pool.acquires)], ["Waited", waits.count ? `${plural(waits.count, "time")}, longest ${duration(waits.longest)}` : "never"],
    ["Timed out", number(pool.timeouts)], ["Failed", number(pool.failed)], ["Slow to open", openings.count ? `${plural(openings.count, "time")}, longest ${duration(openings.longest)}` : ""],
    ["On average out", sizing.mean_out ? sizing.mean_out.toPrecision(2) : ""], ["Needed without leaks", sizing.needed_without_leaks === undefined ? "" : number(sizing.needed_without_leaks)],
    ["Idle", number(pool.idle)], ["Instances", pool.instances > 1 ? `${number(pool.instances)}; the picture is of the one with the high-water mark` : ""]];
  return make("dl", { class: "facts across" }, list.filter(([, value]) => value).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

export function occupancy(model) {
  const pools = model.pools.filter((pool) => pool.occupancy.most_out.length > 0);
  if (!pools.length) return undefined;
  const place = make("div");
  const show = (index) => clear(place).append(numbers(pools[index]), new Occupancy(model, pools[index]).element);
  show(0);
  return section("pools", pools.length > 1 ? "Pools over time" : "Pool over time",
    pools.length > 1 ? make("div", { class: "controls" }, choice("Pool", pools.map((pool, i) => [String(i), `${poolName(pool)} (pid ${pool.pid})`]), (value) => show(Number(value)))) :
      make("p", { class: "hint" }, poolName(pools[0])), place,
    make("p", { class: "hint" }, "Each step is one bucket of the recording: the largest number out in it, and who held them then. What happened within a step was not recorded. Waiting is who waited at any time of a step, and in steps that were merged at least so many."));
}
