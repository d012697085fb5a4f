// What happened, in one sentence, and what keeps it from being the whole truth.
import { make } from "./dom.js";
import { capacity, fileName, poolName } from "./data.js";
import { number, plural } from "./words.js";

function dryPools(model) {
  return model.pools.filter((pool) => pool.timeouts > 0 ||
    model.shortages.some((shortage) => shortage.pool === model.pools.indexOf(pool)));
}

function poolSentence(model) {
  const [pool, ...others] = dryPools(model);
  if (!pool) return "";
  const size = capacity(pool);
  const name = poolName(pool) + (others.length ? ` and ${plural(others.length, "other pool")}` : "");
  const failed = pool.timeouts || pool.failed || 0;
  const what = failed ? `${plural(failed, "acquire")} ${pool.timeouts ? "timed out" : "failed"}` :
    `acquires had to wait`;
  return ` ${name}${size ? ` (${number(size)} connections)` : ""} ran dry: ${what}.`;
}

function blindSpots(model) {
  const lost = model.processes.reduce((total, process) => total + (process.lost ?? 0), 0);
  const list = model.blind.map((spot) => ({ title: spot.program ? `${spot.program}: ${spot.reason}` : spot.reason, text: spot.remedy }));
  if (lost) list.push({ title: `${plural(lost, "record")} were lost`, text: "see the processes below for the reason" });
  for (const text of model.problems) list.push({ title: text });
  for (const entry of model.unseen_inside) list.push({ title: `${entry.function}: not all calls were seen`, text: entry.reason });
  for (const entry of model.unseen) list.push({ title: `${entry} was asked for and never called` });
  return list;
}

const NAMES = { handle: "handle", checkout: "checkout", session: "ORM session" };

function both(list) {
  return list.length > 1 ? `${list.slice(0, -1).join(", ")} and ${list[list.length - 1]}` : list[0];
}

function judged(model) {
  const files = new Set(model.leaking.map(fileName).filter(Boolean)).size;
  if (model.neverClosed > 0) {
    const list = model.kinds.filter((entry) => entry.never > 0);
    return { kind: "leak", head: `${both(list.map((entry) => `${number(entry.never)} of ${plural(entry.opened, NAMES[entry.kind])}`))} ${model.neverClosed === 1 ? "was" : "were"} never closed`,
      rest: `, at ${plural(model.leaking.length, "site")} in ${plural(files, "file")}.` };
  }
  if (!model.kinds.length)
    return { kind: "blind", head: "No session was seen", rest: ": there is nothing to judge." };
  const all = both(model.kinds.map((entry) => plural(entry.opened, NAMES[entry.kind])));
  return { kind: "clean", head: `${model.kinds.length === 1 && model.kinds[0].opened === 1 ? "The only" : "All"} ${all.replace(/^1 /, "")} ${model.kinds.length === 1 && model.kinds[0].opened === 1 ? "was" : "were"} closed`, rest: " or given back." };
}

export function verdict(model) {
  const spots = blindSpots(model);
  const { kind, head, rest } = judged(model);
  const shown = kind === "clean" && spots.length ? "blind" : kind;
  const pool = poolSentence(model);
  const sentence = make("p", { class: "sentence" }, make("strong", {}, shown === "blind" && kind === "clean" ? `${head} that were seen` : head), rest, pool);
  const icon = { leak: "✕", clean: "✓", blind: "?" }[shown];
  const tiles = make("dl", { class: "tiles" });
  const late = ["handle", "checkout", "session"].reduce((total, key) => total + (model.totals[key]?.late ?? 0), 0);
  const tile = (title, value, bad) => tiles.append(make("div", { class: bad ? "bad" : "" }, make("dt", {}, title), make("dd", {}, value)));
  tile("never closed", number(model.neverClosed), model.neverClosed > 0);
  for (const entry of model.kinds) tile(`${NAMES[entry.kind]}s opened`, number(entry.opened));
  tile("sites", number(model.sites.length));
  for (const entry of model.pools.slice(0, 1))
    tile("pool high-water", `${number(entry.high_water.count)}${capacity(entry) === undefined ? "" : ` / ${number(capacity(entry))}`}`, entry.high_water.count >= capacity(entry));
  const waits = model.pools.reduce((total, entry) => total + entry.waits.count, 0);
  const timeouts = model.pools.reduce((total, entry) => total + entry.timeouts, 0);
  if (model.pools.length) tile("waits", number(waits), waits > 0);
  if (model.pools.length) tile("time-outs", number(timeouts), timeouts > 0);
  if (late) tile("held too long", number(late), true);
  const note = spots.length > 0 && make("div", { class: "spots", role: "note" },
    make("h3", {}, `Not everything was seen: ${plural(spots.length, "note")}`),
    make("ul", {}, spots.slice(0, 50).map((spot) => make("li", {}, make("b", {}, spot.title), spot.text ? ` — ${spot.text}` : ""))));
  return make("section", { class: `verdict ${shown}`, "aria-label": "Verdict" },
    make("div", { class: "headline" }, make("span", { class: "badge", "aria-hidden": "true" }, icon), make("h1", {}, sentence.childNodes.length ? [...sentence.childNodes] : "")),
    tiles, note,
    model.redacted && make("p", { class: "hint" }, `Left out of this page: ${model.redacted.join(", ")}.`));
}
