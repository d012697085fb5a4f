// Light or dark: as the system has it, or as chosen, which is remembered where that is allowed.
import { button, make } from "./dom.js";

const KEY = "unclosed-theme";
const listeners = [];

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function apply(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const listener of listeners) listener();
}

// Calls `listener` when colours have changed.
export function onTheme(listener) {
  listeners.push(listener);
}

export function themeControl(place) {
  const group = make("div", { class: "segments", role: "group", "aria-label": "Colours" });
  const choose = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch { /* not remembered */ }
    apply(theme);
    for (const entry of group.children) entry.setAttribute("aria-pressed", entry.dataset.value === theme);
  };
  for (const [value, text] of [["auto", "Auto"], ["light", "Light"], ["dark", "Dark"]])
    group.append(button(text, () => choose(value), { "data-value": value, "aria-pressed": "false" }));
  place.append(group);
  const theme = remembered() ?? "auto";
  apply(theme);
  for (const entry of group.children) entry.setAttribute("aria-pressed", entry.dataset.value === theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(remembered()));
}
