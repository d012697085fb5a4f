// Histograms of times, whose buckets double.
import { clear, choice, make, section } from "./dom.js";
import { csvButton } from "./csv.js";
import { poolName } from "./data.js";
import { bounds, number } from "./words.js";

// labels and counts of the same length.
export function bars(labels, counts, caption) {
  const first = Math.max(0, counts.findIndex((count) => count > 0) - 1);
  const most = Math.max(1, ...counts);
  const body = make("tbody");
  for (let i = first; i < counts.length; i++) {
    const width = counts[i] ? Math.max(0.6, (counts[i] / most) * 100) : 0;
    body.append(make("tr", {}, make("th", { scope: "row" }, labels[i]),
      make("td", { class: "bar" }, make("span", { style: { width: `${width}%` } })), make("td", { class: "count" }, number(counts[i]))));
  }
  return make("table", { class: "histogram" }, make("caption", {}, caption),
    make("thead", { class: "hidden" }, make("tr", {}, make("th", { scope: "col" }, "Time"), make("th", { scope: "col" }, "Share"), make("th", { scope: "col" }, "Number"))), body);
}

function add(lists) {
  const total = [];
  for (const list of lists) for (const [i, count] of (list ?? []).entries()) total[i] = (total[i] ?? 0) + count;
  return Array.from(total, (count) => count ?? 0);
}

export function holdBars(lists, caption) {
  const counts = add(lists);
  return counts.length ? bars(bounds(counts.length, 1e-6, counts.length === 32), counts, caption) : undefined;
}

function tookBars(histogram, caption) {
  const counts = histogram.count;
  return bars(bounds(counts.length, histogram.below[0], counts.length > histogram.below.length), counts, caption);
}

export function histograms(model) {
  const place = make("div", { class: "columns" });
  const sitesOf = (pool) => model.sites.filter((site) => pool < 0 || site.pool === pool);
  let chosen = -1;
  const show = () => {
    clear(place);
    place.append(holdBars(sitesOf(chosen).map((site) => site.hold_times), "Hold times of the sessions that have ended") ??
      make("p", { class: "hint" }, "No session has ended."));
    const pools = chosen < 0 ? (model.pools.length === 1 ? model.pools : []) : [model.pools[chosen]];
    for (const pool of pools) {
      if (pool.acquire_times) place.append(tookBars(pool.acquire_times, "Time to get a connection from the pool"));
      if (pool.creation_times) place.append(tookBars(pool.creation_times, "Time to make a connection for the pool"));
    }
  };
  const rows = () => {
    const counts = add(sitesOf(chosen).map((site) => site.hold_times));
    return [["held", "sessions"], ...counts.map((count, i) => [bounds(counts.length, 1e-6, counts.length === 32)[i], count])];
  };
  show();
  return section("times", "Times", make("div", { class: "controls" },
    model.pools.length > 1 && choice("Of", [["-1", "all sessions"], ...model.pools.map((pool, i) => [String(i), poolName(pool)])],
      (value) => { chosen = Number(value); show(); }), csvButton("hold-times", rows)), place,
  make("p", { class: "hint" }, "Each line counts twice the time of the one above. Times to get and to make a connection are counted from 8.4 ms on."));
}
