// A pool that ran dry: who held each connection, since when, and who waited, as a picture in time.
import { button, clear, draw, isNarrow, make, section } from "./dom.js";
import { csvButton } from "./csv.js";
import { SHADES, siteName } from "./occupancy.js";
import { poolName } from "./data.js";
import { duration, functionOf, number, plural, shortPlace } from "./words.js";

// The worst one of each pool: most waited for, failed ones first.
function order(list) {
  return list.map((shortage, index) => ({ shortage, index })).sort((a, b) => Number(b.shortage.failed) - Number(a.shortage.failed) || b.shortage.waited - a.shortage.waited || a.index - b.index);
}

// Those that waited for the same connections at the same time.
function waiters(model, chosen) {
  const begin = chosen.at - chosen.waited;
  return model.shortages.filter((other) => other.pid === chosen.pid && other.pool === chosen.pool && other.at > begin && other.at - other.waited < chosen.at)
    .sort((a, b) => a.at - a.waited - (b.at - b.waited)).slice(0, 24);
}

function ranked(shortage) {
  const counts = new Map();
  for (const held of shortage.sessions) counts.set(held.site, (counts.get(held.site) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([id]) => id);
}

function picture(model, shortage) {
  const narrow = isNarrow();
  const width = narrow ? 420 : 1000, left = narrow ? 8 : 250, right = 12, top = 26;
  const ids = ranked(shortage);
  const held = [...shortage.sessions].sort((a, b) => ids.indexOf(a.site) - ids.indexOf(b.site) || a.acquired - b.acquired);
  const waiting = waiters(model, shortage);
  const end = Math.max(shortage.at, ...waiting.map((other) => other.at));
  const begin = Math.min(shortage.at - shortage.waited, ...held.map((one) => one.acquired));
  const span = Math.max(end - begin, 1e-6) * 1.02;
  const x = (time) => left + ((time - begin) / span) * (width - left - right);
  const height = Math.max(3, Math.min(15, 540 / Math.max(1, held.length)));
  const svg = draw("svg", { class: "autopsy", role: "img", "aria-label": `${plural(held.length, "session")} held the pool; ${plural(waiting.length, "acquire")} waited. The table below says the same.` });
  const grid = draw("g", {});
  const marks = draw("g", {});
  let y = top, last;
  const shade = (id) => `var(--site-${ids.indexOf(id) < SHADES && id ? ids.indexOf(id) : "rest"})`;
  for (const one of held) {
    if (one.site !== last) {
      y += last === undefined && y === top ? 0 : 8;
      const count = held.filter((other) => other.site === one.site).length;
      const label = `${number(count)} × ${siteName(model, one.site)}`;
      if (narrow) y += 14;
      marks.append(draw("text", { x: narrow ? left : left - 10, y: narrow ? y - 4 : y + Math.min(12, height * count), class: narrow ? "label start" : "label" }, cut(label, narrow ? 58 : 38)));
      last = one.site;
    }
    const from = x(Math.max(begin, one.acquired));
    marks.append(draw("rect", { x: from, y, width: Math.max(1.5, x(shortage.at) - from), height: Math.max(2, height - 1.5), rx: 2, style: { fill: shade(one.site) } },
      draw("title", {}, `${siteName(model, one.site)}${one.thread ? `, thread ${one.thread}` : ""}, for ${duration(shortage.at - one.acquired)}`)));
    y += height;
  }
  y += 16;
  if (narrow) y += 10;
  marks.append(draw("text", { x: narrow ? left : left - 10, y: narrow ? y - 4 : y + 11, class: narrow ? "label start wait" : "label wait" }, `${plural(waiting.length, "acquire")} waited`));
  for (const other of waiting) {
    const from = x(Math.max(begin, other.at - other.waited));
    marks.append(draw("rect", { x: from, y, width: Math.max(2, x(other.at) - from), height: 12, rx: 2, class: other.failed ? "waiter failed" : "waiter" },
      draw("title", {}, `thread ${other.thread} waited ${duration(other.waited)} and got ${other.failed ? "nothing" : "its session"}`)));
    marks.append(draw("text", { x: from - 5, y: y + 10, class: "label wait small" }, cut(`${other.thread ?? ""}${other.failed ? " ✕" : ""}`, 22)));
    y += 15;
  }
  const step = tickStep(span / (narrow ? 3 : 7));
  for (let time = shortage.at; time >= begin; time -= step)
    grid.append(draw("line", { x1: x(time), x2: x(time), y1: top - 6, y2: y + 4, class: "grid" }),
      draw("text", { x: x(time), y: 12, class: time === shortage.at ? "tick" : "tick middle" }, time === shortage.at ? (narrow ? "0" : "waiting ended") : `−${duration(shortage.at - time)}`));
  grid.append(draw("line", { x1: x(shortage.at), x2: x(shortage.at), y1: top - 6, y2: y + 4, class: "now" }));
  svg.setAttribute("viewBox", `0 0 ${width} ${Math.ceil(y + 10)}`);
  svg.append(grid, marks);
  return svg;
}

// The next larger of 1, 2, 5, 10, 20 ... seconds.
function tickStep(seconds) {
  const power = 10 ** Math.floor(Math.log10(seconds));
  return power * [1, 2, 5, 10].find((factor) => power * factor >= seconds * 0.999);
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function sentence(model, shortage) {
  const frame = model.frames[shortage.name];
  const by = shortage.holders.slice(0, 4).map((holder, i) => [i ? ", " : "", make("b", {}, `${number(holder.count)} `), holder.site ? make("a", { href: `#site-${holder.site}` }, siteName(model, holder.site)) : "acquired before the attach", holder.longest ? ` for up to ${duration(holder.longest)}` : ""]);
  const others = shortage.holders.length > 4 ? `, and ${plural(shortage.holders.length - 4, "more site")}` : "";
  return make("p", { class: "autopsy-text" }, `${shortage.time ? `At ${shortage.time.slice(11, 23)} UTC ` : ""}thread ${shortage.thread || "(unnamed)"} in `, make("b", {}, `${functionOf(frame)} ${shortPlace(frame)}`),
    ` had waited ${duration(shortage.waited)} and ${shortage.failed ? "got nothing" : "got its session"}. ${plural(shortage.held, "session")} ${shortage.held === 1 ? "was" : "were"} out: `, by, others, `.${shortage.waiting ? ` ${plural(shortage.waiting, "thread")} ${shortage.waiting === 1 ? "was" : "were"} waiting.` : ""}`);
}

export function autopsy(model) {
  if (!model.shortages.length) return undefined;
  const list = order(model.shortages);
  let at = 0;
  const place = make("div");
  const count = make("span", { role: "status", class: "hint" });
  const show = (step) => {
    at = (at + step + list.length) % list.length;
    const { shortage } = list[at];
    count.textContent = `${number(at + 1)} of ${number(list.length)}, the worst first`;
    clear(place).append(make("p", { class: "hint" }, poolName(model.pools[shortage.pool])), sentence(model, shortage), make("div", { class: "picture" }, picture(model, shortage)),
      make("details", {}, make("summary", {}, `All ${plural(shortage.sessions.length, "session")} as a table`), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Sessions that held the pool" },
        make("table", { class: "plain" }, make("thead", {}, make("tr", {}, ["Site", "Thread", "Held for"].map((name) => make("th", { scope: "col" }, name)))),
          make("tbody", {}, shortage.sessions.map((one) => make("tr", {}, make("td", {}, one.site ? make("a", { href: `#site-${one.site}` }, siteName(model, one.site)) : siteName(model, "before_attach")), make("td", {}, one.thread ?? ""), make("td", { class: "number" }, duration(shortage.at - one.acquired)))))))));
  };
  const rows = () => [["site", "thread", "held_s"], ...list[at].shortage.sessions.map((one) => [siteName(model, one.site), one.thread, (list[at].shortage.at - one.acquired).toFixed(3)])];
  const element = section("autopsy", "Who held the pool when it ran dry", make("div", { class: "controls" },
    list.length > 1 && [button("‹ Previous", () => show(-1), { class: "quiet" }), button("Next ›", () => show(1), { class: "quiet" })], count, csvButton("holders", rows)), place,
  make("p", { class: "hint" }, "A bar is one session, from its acquire to the moment at which the waiting ended; red bars are acquires that waited, the filled ones for nothing. These are recorded moments; nothing is interpolated."));
  show(0);
  let narrow = isNarrow();
  addEventListener("resize", () => { if (narrow !== isNarrow()) { narrow = isNarrow(); show(0); } });
  return element;
}

