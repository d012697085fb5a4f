// Numbers, times and names as people read them.

export function number(value) {
  return (value ?? 0).toLocaleString("en");
}

// A number that has little room: "1.2M"; its element's title has all of it.
export function short(value) {
  return (value ?? 0) < 100000 ? number(value) : value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 2 });
}

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

export function duration(seconds) {
  if (!(seconds > 0)) return "0 s";
  const steps = [[1e-6, 1e9, "ns"], [1e-3, 1e6, "µs"], [1, 1e3, "ms"], [120, 1, "s"]];
  for (const [below, factor, unit] of steps)
    if (seconds < below) {
      const shown = seconds * factor;
      return `${shown >= 100 ? Math.round(shown) : +shown.toPrecision(2 + (shown >= 10))} ${unit}`;
    }
  const minutes = seconds / 60;
  if (minutes < 120) return `${Math.round(minutes)} min`;
  return minutes < 2880 ? `${(minutes / 60).toFixed(1)} h` : `${(minutes / 1440).toFixed(1)} days`;
}

export function clock(milliseconds, fraction = true) {
  const text = new Date(milliseconds).toISOString();
  return text.slice(11, fraction ? 23 : 19);
}

export function base(path) {
  return (path ?? "").replace(/^.*\//, "");
}

// "service.py:23", "libapp.so+0x1234"
export function place(frame) {
  if (!frame) return "";
  if (frame.file) return frame.line ? `${frame.file}:${frame.line}` : frame.file;
  if (frame.module) return `${base(frame.module)}+0x${frame.offset.toString(16)}`;
  return "";
}

export function shortPlace(frame) {
  return frame?.file ? `${base(frame.file)}${frame.line ? `:${frame.line}` : ""}` : place(frame);
}

export function functionOf(frame) {
  return frame?.function || (frame ? "(unknown function)" : "(unknown place)");
}

const CLOSERS = {
  code: "closed by the code",
  scope_end: "closed at the end of a scope",
  code_at_exit: "closed by code at exit",
  reclaimed: "closed by the runtime",
  collector: "closed by the garbage collector",
  end_of_request: "closed at the end of the request",
  end_of_runtime: "closed by interpreter shutdown",
  pool: "kept by its pool",
  unknown: "closed, not known by whom",
};

// Who closed the sessions of a site: [[words, count, never], ...]
export function outcomes(site) {
  const list = Object.entries(site.closed_by ?? {}).map(([key, count]) => [
    CLOSERS[key] ?? key, count, ["reclaimed", "collector", "end_of_request", "end_of_runtime"].includes(key)]);
  const rest = [["live", "open at the end", true], ["refused", "close was refused", true],
    ["zombie", "kept alive by children (zombie)", true], ["discarded", "discarded", false],
    ["release_unseen", "released unseen (a guess)", false], ["pooled", "kept by a pool", false],
    ["under_way", "under way at the end", false], ["below_threshold", "below the threshold", false],
    ["being_released", "being released", false]];
  for (const [key, words, never] of rest) if (site[key]) list.push([words, site[key], never]);
  return list;
}

// What became of those never closed, in a few words.
export function closers(site) {
  return outcomes(site).filter(([, , never]) => never).sort((a, b) => b[1] - a[1])
    .map(([words, count]) => `${words} ${number(count)}`).join(" · ");
}

// The bounds of a histogram's buckets, as text: sizes double from `first` seconds on.
export function bounds(count, first, open) {
  const list = [];
  for (let i = 0; i < count; i++) {
    const low = i === 0 ? 0 : first * 2 ** (i - 1);
    list.push(open && i === count - 1 ? `≥ ${duration(low)}` : `< ${duration(first * 2 ** i)}`);
  }
  return list;
}
