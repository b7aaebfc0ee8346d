/**
 * Render the home view of a scene's file, for Python to compare with its own rendering:
 *
 *     node tests/render_scene.js FILE PICTURE plain|simd [WIDTH HEIGHT]
 *
 * The picture is written as float32: colour, depth, accumulation and normals of each pixel. `npm run build` makes the kernel.
 */

import { readFileSync, writeFileSync } from "node:fs";

import { decode } from "../decoder/index.js";
import { directionOf, homeCamera, resized } from "../field/camera.js";
import { plainEngine, simdEngine } from "../field/layer_engine.js";
import { RayMarcher } from "../field/ray_marcher.js";

const [path, output, which, width, height] = process.argv.slice(2);
const file = decode(new Uint8Array(readFileSync(path)));
if (file.kind !== "radiance") throw new Error(`${path}: holds no scene`);
const engine = which === "simd" ? await simdEngine(readFileSync(new URL("../kernel/radiance.wasm", import.meta.url))) : plainEngine();
const camera = homeCamera(file.capture);
if (width) camera.lens = resized(camera.lens, Number(width), Number(height));
const marcher = new RayMarcher(file, engine);
const { lens } = camera;
const values = new Float32Array(8 * lens.width * lens.height);
const started = performance.now();
for (let y = 0; y < lens.height; y++) {
  const directions = Array.from({ length: lens.width }, (_, x) => directionOf(camera, x, y));
  const seen = marcher.render(/** @type {[number, number, number]} */ (camera.position), directions, !width);
  for (let x = 0; x < lens.width; x++) {
    const pixel = [...seen.colour.subarray(3 * x, 3 * x + 3), seen.depth[x], seen.accumulation[x], ...(seen.normals ?? []).slice(3 * x, 3 * x + 3)];
    values.set(pixel, 8 * (y * lens.width + x));
  }
}
console.log(`${(performance.now() - started).toFixed(0)} ms`);
writeFileSync(output, values);
