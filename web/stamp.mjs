// Writes down of which sources the built files are made; a test compares. Run after each build.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

const OUT = "../agentcl/server/page";
const SINGLE = ["index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.ts"];
const STAMP = "sources.json";

function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => relative(".", join(one.parentPath, one.name)).split(sep).join("/"));
}

// The hash of a list of files: their names and bytes, in order of their names.
function hash(names, start = "") {
  const whole = createHash("sha256");
  for (const name of [...names].sort()) {
    const bytes = createHash("sha256").update(readFileSync(name)).digest("hex");
    whole.update(`${name.slice(start.length)}\n${bytes}\n`);
  }
  return whole.digest("hex");
}

const sources = hash([...SINGLE, ...files("src"), ...files("public")]);
const built = hash(files(OUT).filter((name) => !name.endsWith(STAMP)), `${OUT}/`);
writeFileSync(join(OUT, STAMP), `${JSON.stringify({ sources, built }, null, 2)}\n`);
