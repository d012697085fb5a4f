// The data of a page, as html/data.c writes it, made handy. Knows nothing of elements.
import { base, functionOf, shortPlace } from "./words.js";

const OWNERS = ["library", "interpreter", "user"];
const KINDS = ["handle", "checkout", "session"];

function frameOf(texts, [fun, file, line, module, owner, language, inlined, offset], index) {
  const text = (number) => (number < 0 ? "" : texts[number]);
  return { index, function: text(fun), file: text(file), fileNumber: file, line, module: text(module),
    owner: OWNERS[owner], language: text(language), inlined: inlined > 0, offset };
}

export function read(json) {
  const raw = JSON.parse(json);
  if (raw.schema !== 1) throw new Error("this page is of another version of unclosed");
  const frames = raw.frames.map((entry, index) => frameOf(raw.texts, entry, index));
  const model = { ...raw, frames };
  // The frames of a stack, innermost first.
  model.stack = (node) => {
    const list = [];
    for (let at = node; at !== undefined && at >= 0 && list.length < 1024; at = raw.nodes[at][1])
      list.push(frames[raw.nodes[at][0]]);
    return list;
  };
  model.line = (frame) => (frame && frame.line ? raw.source[frame.fileNumber]?.[frame.line] : undefined);
  model.site = new Map();
  for (const [index, site] of raw.sites.entries()) {
    site.index = index;
    site.never_closed ??= 0;
    site.opened ??= 0;
    site.frame = site.name === undefined ? undefined : frames[site.name];
    site.label = functionOf(site.frame);
    site.place = shortPlace(site.frame);
    site.code = (model.line(site.frame) ?? "").trim();
    site.poolName = site.pool === undefined ? "" : poolName(raw.pools[site.pool]);
    if (site.hold_times) site.hold_times = Array(site.hold_times[0]).fill(0).concat(site.hold_times.slice(1));
    const ended = (site.hold_times ?? []).reduce((total, count) => total + count, 0);
    site.mean_hold = ended ? (site.hold_sum ?? 0) / ended : 0;
    const line = site.timeline?.least_out;
    while (line && line.length < site.timeline.count) line.push(line[line.length - 1]);
    model.site.set(site.id, site);
  }
  // A checkout and the handle inside it are one connection: what was opened is not added up.
  model.kinds = KINDS.map((kind) => ({ kind, opened: raw.totals[kind]?.opened ?? 0, never: raw.totals[kind]?.never_closed ?? 0 })).filter((entry) => entry.opened > 0);
  model.neverClosed = sum(model, "never_closed");
  model.leaking = raw.sites.filter((site) => site.never_closed > 0 && KINDS.includes(site.kind));
  model.start = Math.min(...raw.processes.map((process) => Date.parse(process.started)).filter((t) => t > 0));
  return model;
}

function sum(model, key) {
  return KINDS.reduce((total, kind) => total + (model.totals[kind]?.[key] ?? 0), 0);
}

export function poolName(pool) {
  return pool ? [pool.class || pool.kind, pool.name].filter(Boolean).join(" ") : "";
}

export function capacity(pool) {
  return pool.size === undefined ? undefined : pool.size + (pool.overflow ?? 0);
}

// When a process of the run began, in milliseconds.
export function startOf(model, pid) {
  const process = model.processes.find((entry) => entry.pid === pid);
  return Date.parse(process?.started ?? "") || 0;
}

// The data of another page, or of this file's text.
export function pageData(text) {
  const begin = text.indexOf('<script type="application/json" id="data">');
  const end = text.indexOf("</script>", begin);
  if (begin < 0 || end < 0) throw new Error("this file is no page of unclosed");
  return text.slice(text.indexOf(">", begin) + 1, end);
}

export function fileName(site) {
  return site.frame?.file || (site.frame?.module ? base(site.frame.module) : "");
}
