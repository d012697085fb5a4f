// The processes of the run.
import { make, section } from "./dom.js";
import { csvButton } from "./csv.js";
import { duration, number } from "./words.js";

export function processes(model) {
  const shown = model.processes.slice(0, 200);
  const row = (entry) => make("tr", {}, make("td", { class: "number" }, entry.pid),
    make("td", {}, make("details", {}, make("summary", {}, make("code", {}, entry.command || entry.exe)),
      make("dl", { class: "facts" },
        [["Executable", entry.exe], ["Directory", entry.directory], ["Trace", entry.trace], ["Started", entry.started],
          ["Parent", entry.parent_pid], ...(entry.notes ?? []).map((note) => ["Note", note]),
          ...Object.entries(entry.lost_reasons ?? {}).map(([reason, count]) => [`Lost: ${reason}`, count])]
          .filter(([, value]) => value).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))))),
    make("td", { class: "number" }, duration(entry.seconds)), make("td", {}, entry.ended),
    make("td", { class: "number" }, number(entry.opened)), make("td", { class: "number" }, number(entry.never_closed)),
    make("td", { class: "number" }, number(entry.lost)));
  const names = ["PID", "Command", "Traced", "Ended", "Opened", "Never closed", "Records lost"];
  const rows = () => [["pid", "parent", "command", "exe", "directory", "started", "seconds", "ended", "opened", "never_closed", "lost"],
    ...model.processes.map((e) => [e.pid, e.parent_pid, e.command, e.exe, e.directory, e.started, e.seconds, e.ended, e.opened, e.never_closed, e.lost])];
  return section("processes", "Processes", make("div", { class: "controls" }, csvButton("processes", rows)),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of processes" },
      make("table", { class: "plain" }, make("thead", {}, make("tr", {}, names.map((name) => make("th", { scope: "col" }, name)))),
        make("tbody", {}, shown.map(row)))),
    shown.length < model.processes.length && make("p", { class: "hint" }, `${number(model.processes.length - shown.length)} more are in the CSV file.`));
}
