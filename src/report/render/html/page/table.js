// The table of sites: a list of which only the rows in sight are in the document, so that ten thousand
// sites are as fluid as ten.
import { button, calm, check, choice, clear, isNarrow, labelled, make, section } from "./dom.js";
import { csvButton } from "./csv.js";
import { fileName } from "./data.js";
import { detail } from "./detail.js";
import { closers, duration, number, plural, short } from "./words.js";

const AHEAD = 6; // rows kept above and below those in sight
const ALL_AT_ONCE = 30; // as many rows need no scrolling of their own
const PRINTED = 300;

const COLUMNS = [
  { key: "never_closed", name: "Never closed", value: (site) => site.never_closed, down: true },
  { key: "site", name: "Site", value: (site) => `${site.label} ${site.place}`.toLowerCase() },
  { key: "longest", name: "Longest held", value: (site) => site.longest ?? 0, down: true },
  { key: "fault", name: "Fault", value: (site) => site.pattern ?? "" },
  { key: "pool", name: "Pool, database", value: (site) => `${site.poolName} ${site.databases?.[0] ?? ""}` },
  { key: "thread", name: "Thread, test", value: (site) => `${site.threads?.[0] ?? ""} ${site.tests?.[0] ?? ""}` },
];

function some(list, limit = 1) {
  if (!list?.length) return "";
  return list.slice(0, limit).join(", ") + (list.length > limit ? ` +${number(list.length - limit)}` : "");
}

function cells(site, pools) {
  const share = site.opened ? Math.max(site.never_closed ? 3 : 0, (site.never_closed / site.opened) * 100) : 0;
  const where = site.pool === undefined ? site.kind : pools[site.pool].class || pools[site.pool].kind;
  const failed = site.failed ? `${plural(site.failed, "acquire")} failed` : "";
  return [
    make("div", { class: "c-never", role: "cell", title: `${number(site.never_closed)} of ${number(site.opened)}` }, make("b", { class: site.never_closed ? "never" : "" }, short(site.never_closed)), make("span", {}, ` of ${short(site.opened)}`),
      make("span", { class: "meter", "aria-hidden": "true" }, make("span", { style: { width: `${share}%` } }))),
    make("div", { class: "c-site", role: "cell" }, make("div", {}, make("b", {}, site.label), " ", make("span", { class: "where" }, site.place)), make("code", {}, site.code)),
    make("div", { class: "c-longest", role: "cell" }, site.longest ? duration(site.longest) : "—"),
    make("div", { class: "c-fault", role: "cell" }, make("div", {}, site.pattern || failed || (site.never_closed || !site.opened ? "" : site.pooled === site.opened ? "kept by its pool" : "closed")), make("small", {}, closers(site) || (site.pattern && failed))),
    make("div", { class: "c-pool", role: "cell" }, make("div", {}, where), make("small", {}, site.pool === undefined ? some(site.databases) : pools[site.pool].name)),
    make("div", { class: "c-thread", role: "cell" }, make("div", {}, some(site.threads)), make("small", {}, some(site.tests))),
  ];
}

export class Table {
  constructor(model) {
    this.model = model;
    this.sort = { column: COLUMNS[0], down: true };
    this.filter = { text: "", pool: "", thread: "", test: "", pid: "", leaking: model.leaking.length > 0 && model.sites.length > 200 };
    this.rows = [];
    this.shown = new Map();
    this.open = undefined;
    this.extra = 0;
    for (const site of model.sites)
      site.searched = [site.label, site.frame?.file, site.place, site.code, site.poolName, site.pattern, site.kind, ...(site.threads ?? []), ...(site.tests ?? []), ...(site.databases ?? [])].join("\n").toLowerCase();
    this.element = this.build();
  }

  build() {
    this.head = make("div", { class: "row head", role: "row" }, COLUMNS.map((column) => this.header(column)));
    this.body = make("div", { class: "rows", role: "rowgroup" });
    this.scroller = make("div", { class: "scroller", role: "table", "aria-label": "Sites", tabindex: "0" }, make("div", { role: "rowgroup", class: "head-group" }, this.head), this.body);
    this.count = make("span", { class: "hint", role: "status" });
    this.scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    this.body.addEventListener("keydown", (event) => this.key(event));
    addEventListener("resize", calm(() => { this.resize(); this.draw(true); }));
    this.observer = new ResizeObserver(() => this.measure());
    queueMicrotask(() => this.apply());
    return section("sites", "Sites", this.controls(), this.scroller);
  }

  header(column) {
    const sorted = this.sort.column === column;
    const arrow = make("span", { class: "arrow", "aria-hidden": "true" });
    return make("div", { role: "columnheader", class: `c-${column.key === "never_closed" ? "never" : column.key}`, "aria-sort": sorted ? "descending" : "none", "data-key": column.key },
      button([column.name, arrow], () => this.sortBy(column), { class: "sort" }));
  }

  controls() {
    const names = (key) => [...new Set(this.model.sites.flatMap((site) => site[key] ?? []))].sort().slice(0, 2000);
    const options = (list, all) => [["", all], ...list.map((name) => [name, name])];
    const set = (key) => (value) => { this.filter[key] = value; this.apply(); };
    const pools = [...new Set(this.model.sites.map((site) => site.poolName).filter(Boolean))].sort();
    const pids = [...new Set(this.model.sites.map((site) => site.pid))].map(String);
    const search = make("input", { type: "search", placeholder: "function, file, database …", oninput: calm(() => { this.filter.text = search.value.toLowerCase(); this.apply(); }, 80) });
    const list = [labelled("Search", search)];
    if (pools.length > 1) list.push(choice("Pool", options(pools, "all"), set("pool")));
    if (names("threads").length > 1) list.push(choice("Thread", options(names("threads"), "all"), set("thread")));
    if (names("tests").length > 1) list.push(choice("Test", options(names("tests"), "all"), set("test")));
    if (pids.length > 1) list.push(choice("Process", options(pids, "all"), set("pid")));
    list.push(check("Only never closed", this.filter.leaking, set("leaking")), csvButton("sites", () => this.csv()), this.count);
    return make("div", { class: "controls" }, list);
  }

  csv() {
    const join = (list) => (list ?? []).join("; ");
    return [["never_closed", "opened", "function", "file", "line", "kind", "fault", "outcome", "longest_s", "pool", "databases", "threads", "tests", "pid", "id"],
      ...this.rows.map((s) => [s.never_closed, s.opened, s.label, fileName(s), s.frame?.line, s.kind, s.pattern, closers(s), s.longest, s.poolName, join(s.databases), join(s.threads), join(s.tests), s.pid, s.id])];
  }

  sortBy(column) {
    this.sort = { column, down: this.sort.column === column ? !this.sort.down : Boolean(column.down) };
    for (const header of this.head.children)
      header.setAttribute("aria-sort", header.dataset.key !== column.key ? "none" : this.sort.down ? "descending" : "ascending");
    this.apply();
  }

  // Filters and sorts, and begins at the top.
  apply() {
    const { text, pool, thread, test, pid, leaking } = this.filter;
    const words = text.split(/\s+/).filter(Boolean);
    this.rows = this.model.sites.filter((site) => (!leaking || site.never_closed > 0) && (!pool || site.poolName === pool) &&
      (!thread || site.threads?.includes(thread)) && (!test || site.tests?.includes(test)) && (!pid || String(site.pid) === pid) &&
      words.every((word) => site.searched.includes(word)));
    const { column, down } = this.sort;
    const keyed = this.rows.map((site) => [column.value(site), site]);
    const order = ([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1) || y.never_closed - x.never_closed || x.index - y.index;
    this.rows = keyed.sort(order).map(([, site]) => site);
    this.count.textContent = `${number(this.rows.length)} of ${plural(this.model.sites.length, "site")}`;
    this.scroller.scrollTop = 0;
    this.resize();
    this.draw(true);
  }

  resize() {
    this.height = isNarrow() ? 104 : 60;
    this.scroller.classList.toggle("bounded", this.rows.length > ALL_AT_ONCE);
    this.scroller.setAttribute("aria-rowcount", this.rows.length + 1);
    this.body.style.height = `${this.rows.length * this.height + (this.openAt() >= 0 ? this.extra : 0)}px`;
  }

  openAt() {
    return this.open ? this.rows.indexOf(this.open) : -1;
  }

  // The rows in sight, [first, last).
  range() {
    if (this.printing) return [0, Math.min(this.rows.length, PRINTED)];
    if (this.rows.length <= ALL_AT_ONCE) return [0, this.rows.length];
    const at = this.openAt();
    const index = (y) => Math.floor((at >= 0 && y > (at + 1) * this.height ? Math.max((at + 1) * this.height, y - this.extra) : y) / this.height);
    const top = Math.max(0, this.scroller.scrollTop - this.head.offsetHeight);
    return [Math.max(0, index(top) - AHEAD), Math.min(this.rows.length, index(top + this.scroller.clientHeight) + 1 + AHEAD)];
  }

  draw(again = false) {
    const [first, last] = this.range();
    const at = this.openAt();
    if (again) {
      clear(this.body);
      this.shown.clear();
      this.panel = undefined;
      this.observer.disconnect();
    }
    for (const [index, row] of this.shown)
      if ((index < first || index >= last) && !row.contains(document.activeElement)) {
        row.remove();
        this.shown.delete(index);
      }
    for (let index = first; index < last; index++)
      if (!this.shown.has(index)) this.body.append(this.row(index));
    if (at >= 0 && !this.panel) this.showPanel(at);
    for (const [index, row] of this.shown)
      row.style.transform = `translateY(${index * this.height + (at >= 0 && index > at ? this.extra : 0)}px)`;
  }

  row(index) {
    const site = this.rows[index];
    const open = site === this.open;
    const row = make("div", { class: open ? "row open" : "row", role: "row", "aria-rowindex": index + 2, "data-index": index }, cells(site, this.model.pools));
    const title = row.querySelector(".c-site > div");
    title.prepend(button("", () => this.toggle(site), { class: "expand", "aria-expanded": String(open), "aria-label": `Details of ${site.label} ${site.place}` }));
    row.addEventListener("click", (event) => { if (!event.target.closest("button") && !String(getSelection())) this.toggle(site); });
    row.style.height = `${this.height}px`;
    this.shown.set(index, row);
    return row;
  }

  showPanel(at) {
    this.panel = make("div", { class: "panel", role: "row" }, make("div", { role: "cell" }, detail(this.model, this.open)));
    this.panel.style.transform = `translateY(${(at + 1) * this.height}px)`;
    this.shown.get(at)?.after(this.panel) ?? this.body.append(this.panel);
    this.observer.observe(this.panel);
    this.measure();
  }

  measure() {
    const extra = this.panel?.offsetHeight ?? 0;
    if (extra === this.extra) return;
    this.extra = extra;
    this.resize();
    this.draw();
  }

  toggle(site) {
    this.open = this.open === site ? undefined : site;
    this.extra = 0;
    const index = this.rows.indexOf(site);
    this.resize();
    this.draw(true);
    this.shown.get(index)?.querySelector(".expand")?.focus({ preventScroll: true });
  }

  // Opens a site wherever it is, and shows it.
  reveal(id) {
    const site = this.model.site.get(id);
    if (!site) return;
    if (!this.rows.includes(site)) {
      Object.assign(this.filter, { text: "", pool: "", thread: "", test: "", pid: "", leaking: false });
      for (const control of this.element.querySelectorAll(".controls input, .controls select")) {
        control.value = "";
        control.checked = false;
      }
      this.apply();
    }
    if (this.open !== site) this.toggle(site);
    const index = this.rows.indexOf(site);
    if (this.rows.length > ALL_AT_ONCE) this.scroller.scrollTop = Math.max(0, index * this.height - 40);
    this.draw();
    const row = this.shown.get(index);
    row?.scrollIntoView({ block: this.rows.length > ALL_AT_ONCE ? "nearest" : "start" });
    row?.querySelector(".expand")?.focus({ preventScroll: true });
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (!step || !event.target.classList.contains("expand")) return;
    const at = Number(event.target.closest(".row").dataset.index);
    const next = Math.min(this.rows.length - 1, Math.max(0, at + step));
    const y = next * this.height + (this.openAt() >= 0 && next > this.openAt() ? this.extra : 0);
    if (this.rows.length > ALL_AT_ONCE) {
      const top = this.scroller.scrollTop, room = this.scroller.clientHeight - this.head.offsetHeight - this.height;
      if (y < top) this.scroller.scrollTop = y;
      else if (y > top + room) this.scroller.scrollTop = y - room;
    }
    this.draw();
    this.shown.get(next)?.querySelector(".expand")?.focus();
    event.preventDefault();
  }

  print(printing) {
    this.printing = printing;
    this.draw(true);
  }
}
