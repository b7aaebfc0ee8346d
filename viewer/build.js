/**
 * Build what a pip install and an npm package carry, from this folder: `npm run build`.
 *
 * sine-view.js  the custom element, as one module with its worker, its kernel and the part of three.js it uses
 * index.html    a page that needs nothing else: a file is dropped on it, or comes with its address
 * inspector.html  the page of `sinenerf view`
 * exported_shapes.html, exported_scenes.html  what `sinenerf view --export` puts shapes or scenes into
 *
 * `npm run build -- DIRECTORY` writes them elsewhere.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build, transformSync } from "esbuild";

import { leanThree } from "./lean_three.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUTPUT = resolve(process.argv[2] ?? resolve(HERE, "../sinenerf/viewer/static"));
const SETTINGS = /** @type {const} */ ({ bundle: true, minify: true, write: false, target: "es2022", loader: { ".wasm": "binary" } });

const three = leanThree(resolve(HERE, "node_modules"));

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

/** Imports shaders as text, without comments and spaces that mean nothing. @type {import("esbuild").Plugin} */
const shaders = {
  name: "shaders",
  setup({ onLoad }) {
    onLoad({ filter: /\.wgsl$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(/\/\/.*/g, "").replace(/\s*([{}()[\];,:=<>+\-*/&|]|$)\s*/g, "$1"),
      loader: "text",
    }));
  },
};

/** @param {string} entry @param {"iife" | "esm"} format @param {string} [globalName] of what an iife exports */
async function bundled(entry, format, globalName) {
  const entryPoints = [resolve(HERE, entry)];
  const { outputFiles } = await build({ ...SETTINGS, entryPoints, format, globalName, plugins: [workers, shaders, three], legalComments: "inline" });
  return outputFiles[0].text;
}

/** @param {string} name */
function compileKernel(name) {
  const compiler = resolve(HERE, "node_modules/assemblyscript/bin/asc.js");
  const options = ["-O3", "--runtime", "stub", "--enable", "simd", "--importMemory", "--noAssert"];
  execFileSync(process.execPath, [compiler, `kernel/${name}.ts`, ...options, "-o", `kernel/${name}.wasm`], { cwd: HERE, stdio: "inherit" });
}

for (const name of ["occupancy", "radiance"]) compileKernel(name);
mkdirSync(OUTPUT, { recursive: true });
writeFileSync(resolve(OUTPUT, "sine-view.js"), await bundled("element/sine_view.js", "esm"));
writePage("index.html", "page", await bundled("page/main.js", "iife"));
for (const [name, entry] of Object.entries({ inspector: "live", exported_shapes: "exported_shapes", exported_scenes: "exported_scenes" })) {
  writePage(`${name}.html`, "inspector", await bundled(`inspector/${entry}.js`, "iife", "inspector"));
}

/** A page as one file. @param {string} name @param {string} folder of its index.html and style.css @param {string} script */
function writePage(name, folder, script) {
  /** @param {string} file */
  const source = (file) => readFileSync(resolve(HERE, folder, file), "utf8");
  const style = transformSync(source("style.css"), { loader: "css", minify: true }).code.trim();
  const page = source("index.html").replace("/* style */", () => style);
  writeFileSync(resolve(OUTPUT, name), page.replace("/* script */", () => script.replaceAll("</script", "<\\/script")));
}
