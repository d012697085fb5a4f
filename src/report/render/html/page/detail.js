// Everything about one site: stack, source, history, numbers.
import uPlot from "uplot";
import { check, clear, colour, make } from "./dom.js";
import { holdBars } from "./histogram.js";
import { countsOf, listing } from "./source.js";
import { duration, functionOf, number, outcomes, place, short } from "./words.js";

let counts;

export function stackList(model, frames, all) {
  const shown = frames.filter((frame) => all || frame.owner === "user");
  const list = shown.length ? shown : frames;
  return make("ol", { class: "stack" }, list.map((frame) => make("li", { class: frame.owner },
    make("div", {}, make("b", {}, functionOf(frame)), " ", make("span", { class: "where" }, place(frame)), frame.inlined && make("em", {}, " inlined")),
    model.line(frame) && make("code", {}, model.line(frame).trim()))));
}

function stackPart(model, node, title) {
  const frames = model.stack(node);
  if (!frames.length) return undefined;
  const box = make("div");
  const show = (all) => clear(box).append(stackList(model, frames, all));
  show(false);
  return make("div", { class: "part" }, make("h3", {}, title),
    frames.some((frame) => frame.owner !== "user") && check(`All ${number(frames.length)} frames`, false, show), box);
}

function history(site) {
  const line = site.timeline;
  if (!line || line.least_out.length < 2) return undefined;
  const box = make("div", { class: "small-chart", role: "img", "aria-label": `Held over time: ${line.least_out.join(", ")}` });
  const x = line.least_out.map((_, i) => line.from + i * line.step);
  const draw = () => {
    const width = Math.max(240, box.clientWidth || 420);
    clear(box);
    new uPlot({ width, height: 150, legend: { show: false }, cursor: { show: false }, scales: { x: { time: false }, y: { range: (u, low, high) => [0, Math.max(1, high)] } },
      axes: [{ stroke: colour("--soft"), grid: { stroke: colour("--line") }, ticks: { show: false }, values: (u, list) => list.map((v) => duration(v)) },
        { stroke: colour("--soft"), grid: { stroke: colour("--line") }, ticks: { show: false }, size: 52, incrs: [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)), values: (u, list) => list.map(short) }],
      series: [{}, { stroke: colour("--bad"), fill: colour("--bad-soft"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
    }, [x, line.least_out], box);
  };
  queueMicrotask(draw);
  return make("div", { class: "part" }, make("h3", {}, `Held over time (the least in each ${duration(line.step)})`), box,
    make("p", { class: "hint" }, line.grows ? "It grows." : "It does not grow all the time."));
}

function names(title, list) {
  return list?.length ? make("div", {}, make("dt", {}, title), make("dd", {}, list.slice(0, 20).map((name) => make("span", { class: "tag" }, name)),
    list.length > 20 && `and ${number(list.length - 20)} more`)) : undefined;
}

function facts(model, site) {
  const fact = (name, value) => (value ? make("div", {}, make("dt", {}, name), make("dd", {}, value)) : undefined);
  const tests = Object.entries(site.never_closed_by_test ?? {}).sort((a, b) => b[1] - a[1]).slice(0, 20);
  return make("dl", { class: "facts" },
    fact("Acquired by", site.acquired_by), fact("Kind", site.kind), fact("Pool", site.poolName),
    fact("Fault", site.pattern), fact("Opened", number(site.opened)), fact("Never closed", number(site.never_closed)),
    outcomes(site).map(([words, count]) => fact(words.replace(/^./, (c) => c.toUpperCase()), number(count))),
    fact("Longest held", site.longest && duration(site.longest)), fact("Mean hold", site.mean_hold && duration(site.mean_hold)),
    fact("Held too long", site.late && number(site.late)), fact("Left by exceptions", site.exceptions && number(site.exceptions)),
    fact("In a transaction", site.in_transaction && number(site.in_transaction)),
    names("Threads", site.threads), names("Tasks", site.tasks), names("Databases", site.databases), names("Statements", site.statements),
    tests.length ? make("div", {}, make("dt", {}, "Never closed by test"), make("dd", {}, tests.map(([name, count]) => make("span", { class: "tag" }, `${name} ${number(count)}`)))) : names("Tests", site.tests));
}

export function detail(model, site) {
  counts ??= countsOf(model);
  const lines = site.frame && model.source[site.frame.fileNumber];
  const callers = (site.callers ?? []).slice(0, 30);
  return make("div", { class: "detail" },
    make("div", { class: "wide" },
      lines && make("div", { class: "part" }, make("h3", {}, place(site.frame)),
        listing(lines, counts.get(site.frame.fileNumber)?.lines, { from: site.frame.line - 6, to: site.frame.line + 6, label: `Source around ${place(site.frame)}` })),
      stackPart(model, site.stack, "Stack of an acquire, innermost first"),
      stackPart(model, site.created, "The object was created at"),
      callers.length > 0 && make("div", { class: "part" }, make("h3", {}, "Called by"),
        make("ul", { class: "callers" }, callers.map(([frame, opened, never]) => make("li", {}, make("span", { class: never ? "never" : "" }, `${number(never)} of ${number(opened)}`), " ",
          make("b", {}, functionOf(model.frames[frame])), " ", make("span", { class: "where" }, place(model.frames[frame]))))))),
    make("div", {}, history(site), site.hold_times && holdBars([site.hold_times], "Hold times of those that have ended"), facts(model, site)));
}

