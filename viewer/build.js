/**
 * Build what a pip install and an npm package carry, from this folder: `npm run build`.
 *
 * sine-view.js  the custom element, as one module with its worker, its kernel and the part of three.js it uses
 * index.html    a page that needs nothing else: a file is dropped on it, or comes with its address
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUTPUT = resolve(HERE, "../sinenerf/viewer/static");
const SETTINGS = /** @type {const} */ ({ bundle: true, minify: true, write: false, target: "es2022", loader: { ".wasm": "binary" } });

/** Imports `worker:FILE` as the text of a bundled classic worker. @type {import("esbuild").Plugin} */
const workers = {
  name: "workers",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^worker:/ }, ({ path, resolveDir }) => ({ path: resolve(resolveDir, path.slice(7)), namespace: "worker" }));
    onLoad({ filter: /.*/, namespace: "worker" }, async ({ path }) => ({
      contents: await bundled(path, "iife"),
      loader: "text",
    }));
  },
};

/** @param {string} entry @param {"iife" | "esm"} format */
async function bundled(entry, format) {
  const { outputFiles } = await build({ ...SETTINGS, entryPoints: [entry], format, plugins: [workers], legalComments: "inline" });
  return outputFiles[0].text;
}

export function compileKernel() {
  const compiler = resolve(HERE, "node_modules/assemblyscript/bin/asc.js");
  const options = ["-O3", "--runtime", "stub", "--enable", "simd", "--importMemory", "--noAssert"];
  execFileSync(process.execPath, [compiler, "kernel/occupancy.ts", ...options, "-o", "kernel/occupancy.wasm"], { cwd: HERE, stdio: "inherit" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  compileKernel();
  mkdirSync(OUTPUT, { recursive: true });
  writeFileSync(resolve(OUTPUT, "sine-view.js"), await bundled(resolve(HERE, "element/sine_view.js"), "esm"));
  const page = readFileSync(resolve(HERE, "page/index.html"), "utf8");
  const script = (await bundled(resolve(HERE, "page/main.js"), "iife")).replaceAll("</script", "<\\/script");
  writeFileSync(resolve(OUTPUT, "index.html"), page.replace("/* script */", () => script));
}
