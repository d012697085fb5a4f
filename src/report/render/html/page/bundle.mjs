// Puts the page together: one file, with the hashes of its own script and style as the only ones that
// a browser may run.
//
//     node bundle.mjs SOURCES NPM_FOLDER PAGE_HTML
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [sources, folder, output] = process.argv.slice(2);
const modules = join(folder, "node_modules");
const esbuild = createRequire(join(folder, "package.json"))("esbuild");

const built = await esbuild.build({
  entryPoints: [join(sources, "main.js")],
  bundle: true,
  minify: true,
  format: "iife",
  charset: "ascii",
  target: ["es2020"],
  outdir: folder,
  write: false,
  metafile: true,
  legalComments: "none",
  nodePaths: [modules],
  logLevel: "warning",
});
const text = (ending) => built.outputFiles.find((file) => file.path.endsWith(ending)).text.trim();
const script = text(".js");
const style = text(".css");

// The licences of what is bundled, which have to go with it.
const packages = new Set();
for (const input of Object.keys(built.metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
  if (found) packages.add(found[1]);
}
const licences = [...packages].sort().map((name) => {
  const place = join(modules, name);
  const file = readdirSync(place).find((entry) => /^licen[cs]e/i.test(entry));
  const version = JSON.parse(readFileSync(join(place, "package.json"), "utf8")).version;
  if (!file) throw new Error(`${name} has no licence file`);
  return `${name} ${version}\n\n${readFileSync(join(place, file), "utf8").trim()}\n`;
});

const hash = (content) => `'sha256-${createHash("sha256").update(content, "utf8").digest("base64")}'`;
if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) throw new Error("the page ends early");
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
const parts = {
  POLICY: policy,
  STYLE: style,
  SCRIPT: script,
  LICENCES: licences.join("\n\n").replaceAll("<", "&lt;"),
};
const page = readFileSync(join(sources, "page.html"), "utf8");
writeFileSync(output, page.replace(/%([A-Z]+)%/g, (whole, name) => parts[name] ?? whole));
