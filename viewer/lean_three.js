/**
 * three.js without the parts of its shaders that nothing here uses. A bundler drops classes that are not imported, but
 * not these: the renderer refers to the shaders of every material, with a branch of the preprocessor for every feature.
 *
 * What is drawn has MeshStandardMaterial or MeshBasicMaterial, vertex colours, clip planes, directional and hemisphere
 * lights. Whoever draws with more than that (textures, shadows, other lights or materials) adds it to these lists.
 */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const UNUSED_SHADERS = /ShaderLib\/(?!meshbasic|meshphysical)|ShaderChunk\/(lights_(lambert|phong|toon)|lightprobes|tonemapping_pars)_/;
const UNDEFINED = /^(USE_(?!COLOR$)\w+|PHYSICAL|LAMBERT|PHONG|DISTANCE|TONE_MAPPING|DITHERING|PREMULTIPLIED_ALPHA|ALPHA_TO_COVERAGE)$/;
const ZERO = /\bNUM_(?!(DIR_LIGHTS|HEMI_LIGHTS|CLIPPING_PLANES)\b)\w+/g;
const LICENCE = "/*! three.js: MIT licence, Copyright 2010-2026 three.js authors */";

/** Resolves three.js to its sources, and trims their shaders. @param {string} root of node_modules @returns {import("esbuild").Plugin} */
export const leanThree = (root) => ({
  name: "lean three.js",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^three$/ }, () => ({ path: resolve(root, "three/src/Three.js"), sideEffects: false }));
    onLoad({ filter: /three\/src\/Three\.js$/ }, ({ path }) => ({ contents: `${LICENCE}\n${readFileSync(path, "utf8")}` }));
    onLoad({ filter: /\.glsl\.js$/ }, ({ path }) => ({
      contents: UNUSED_SHADERS.test(path) ? 'export const vertex = "", fragment = ""; export default "";' : trimmed(readFileSync(path, "utf8")),
    }));
  },
});

/** A shader without comments, indentation and branches that are never taken. @param {string} source */
export function trimmed(source) {
  /** Branches around a line: whether an #if was kept, whether one is always taken, whether this one may be. */
  const stack = [{ isKept: false, isDecided: false, isLive: true }];
  /** @type {string[]} */
  const lines = [];
  for (const line of source.replace(/\/\*[^]*?\*\//g, "").split("\n").map((text) => text.replace(/\/\/.*/, "").trim())) {
    const [, word, condition] = line.match(/^#\s*(if|ifdef|ifndef|elif|else|endif)\b\s*(.*)$/) ?? [];
    if (word?.startsWith("if")) stack.push({ isKept: false, isDecided: false, isLive: true });
    const branch = stack[stack.length - 1];
    const isAround = stack.slice(0, word ? -1 : undefined).every(({ isLive }) => isLive);
    if (word === "endif") {
      if (isAround && branch.isKept) lines.push("#endif");
      stack.pop();
    } else if (word) {
      const expression = word.endsWith("def") ? `${word === "ifdef" ? "" : "!"}defined(${condition})` : condition;
      const value = branch.isDecided ? false : word === "else" || valueOf(expression);
      branch.isLive = value !== false;
      branch.isDecided ||= value === true;
      if (isAround && value === undefined) lines.push(`#${branch.isKept ? "elif" : "if"} ${expression}`);
      if (isAround && value === true && branch.isKept) lines.push("#else");
      branch.isKept ||= value === undefined;
    } else if (line && isAround) lines.push(line);
  }
  return lines.join("\n");
}

/** What a condition always is; undefined where that depends on what is drawn. @param {string} expression @returns {boolean | undefined} */
function valueOf(expression) {
  /** @type {string[]} */
  const unknown = [];
  const atom = /defined\s*\(\s*(\w+)\s*\)|[\w.]+\s*[<>=]+\s*\w+/g;
  const formula = expression.replace(ZERO, "0").replace(atom, (text, name) => {
    if (name ? UNDEFINED.test(name) : /^0\s*>\s*0$/.test(text)) return "false";
    if (!unknown.includes(text)) unknown.push(text);
    return `values[${unknown.indexOf(text)}]`;
  });
  const evaluate = new Function("values", `return Boolean(${formula})`);
  const found = new Set(Array.from({ length: 2 ** unknown.length }, (_, bits) => evaluate(unknown.map((_, i) => Boolean((bits >> i) & 1)))));
  return found.size === 1 ? [...found][0] : undefined;
}
