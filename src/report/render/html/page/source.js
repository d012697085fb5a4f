// Source files with what was acquired on each line.
import { choice, clear, make, section } from "./dom.js";
import { number, short } from "./words.js";

// lines: {number: text}; counts: Map of line to {opened, never, site}; only lines in [from, to].
export function listing(lines, counts, { from = 0, to = Infinity, label, open } = {}) {
  const list = make("div", { class: "listing", role: "table", "aria-label": label, tabindex: "0" });
  let last = 0;
  const shown = Object.keys(lines).map(Number).filter((line) => line >= from && line <= to).sort((a, b) => a - b);
  for (const line of shown) {
    if (last && line !== last + 1) list.append(make("div", { class: "gap", role: "row" }, make("span", { role: "cell" }, "⋯")));
    last = line;
    const count = counts?.get(line);
    const text = count ? `${short(count.never)} / ${short(count.opened)}` : "";
    list.append(make("div", { class: count ? (count.never ? "line leak" : "line used") : "line", role: "row" },
      make("span", { class: "tally", role: "cell", title: count && `${number(count.never)} never closed of ${number(count.opened)}` },
        count && open ? make("a", { href: `#site-${count.site}` }, text) : text),
      make("span", { class: "where", role: "rowheader" }, line), make("code", { role: "cell" }, lines[line] || " ")));
  }
  return list;
}

// A checkout and the handle inside it are one connection, so a line's kinds are not added up: the one
// that leaks most counts, then the outermost.
const RANK = ["session", "checkout", "handle", "statement"];

function lineOf(kinds) {
  return Object.entries(kinds).sort(([a, x], [b, y]) => y.never - x.never || RANK.indexOf(a) - RANK.indexOf(b))[0][1];
}

// Of each file with source text: what its lines have acquired.
export function countsOf(model) {
  const files = new Map();
  for (const site of model.sites) {
    const file = site.frame?.fileNumber ?? -1, line = site.frame?.line;
    if (!line || file < 0 || !site.opened) continue;
    if (!files.has(file)) files.set(file, { name: site.frame.file, never: 0, opened: 0, lines: new Map() });
    const { lines } = files.get(file);
    if (!lines.has(line)) lines.set(line, {});
    const count = (lines.get(line)[site.kind] ??= { never: 0, opened: 0, site: site.id });
    count.never += site.never_closed;
    count.opened += site.opened;
  }
  for (const file of files.values())
    for (const [line, kinds] of file.lines) {
      const count = lineOf(kinds);
      file.lines.set(line, count);
      file.never += count.never;
      file.opened += count.opened;
    }
  return files;
}

export function sources(model) {
  const files = [...countsOf(model)].filter(([file]) => model.source[file]).sort((a, b) => b[1].never - a[1].never || b[1].opened - a[1].opened);
  if (!files.length) return undefined;
  const place = make("div");
  const show = (value) => {
    const [number, file] = files[Number(value)];
    clear(place).append(listing(model.source[number], file.lines, { label: `Lines of ${file.name}`, open: true }));
  };
  show(0);
  return section("source", "Source", make("div", { class: "controls" },
    choice("File", files.slice(0, 500).map(([, file], i) => [String(i), `${file.name} — ${number(file.never)} never closed`]), show)), place,
  make("p", { class: "hint" }, "In front of each line: sessions never closed / acquired there. Only the lines around are in this page; they are those of the file as it was when the page was made."));
}
