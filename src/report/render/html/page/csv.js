// Tables as CSV (RFC 4180), to be saved.
import { button } from "./dom.js";

function cell(value) {
  let text = String(value ?? "");
  if (/^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+$/.test(text)) text = `'${text}`; // no formula for a spreadsheet
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(rows) {
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

// rows: makes the table, its first row the names of the columns.
export function csvButton(name, rows) {
  return button("CSV", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(rows())], { type: "text/csv" }));
    link.download = `unclosed-${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }, { class: "quiet", title: "Save this table as CSV", "aria-label": `Save ${name} as CSV` });
}
