/** A scene's file with its renderers, and a stand-in for the pool of workers that does their work in this process. */

import { readFileSync } from "node:fs";

import { decode } from "../decoder/index.js";
import { Baker } from "../field/baker.js";
import { simdEngine } from "../field/layer_engine.js";
import { RayMarcher } from "../field/ray_marcher.js";

const KERNEL = new URL("../kernel/radiance.wasm", import.meta.url);

/** @param {string | URL} path */
export async function openScene(path) {
  const file = decode(new Uint8Array(readFileSync(path)));
  if (file.kind !== "radiance") throw new Error(`${path}: holds no scene`);
  const marcher = new RayMarcher(file, await simdEngine(readFileSync(KERNEL)));
  return { marcher, pool: poolOf(marcher, file), scene: { capture: file.capture, warp: file.warp, background: file.config.background } };
}

/** @param {RayMarcher} marcher or another field @param {{ capture: any, warp: any, config: { background: any } }} file */
export function poolOf(marcher, file) {
  const baker = new Baker(marcher, file.warp);
  return /** @type {any} */ ({
    scene: Promise.resolve({ capture: file.capture, warp: file.warp, background: file.config.background }),
    workers: [undefined],
    /** @param {any} request */
    async bake({ mark, voxels }) {
      const started = performance.now();
      if (mark) return baker.mark(.../** @type {Parameters<Baker["mark"]>} */ (mark));
      const values = baker.evaluate(.../** @type {Parameters<Baker["evaluate"]>} */ (voxels));
      return { values, milliseconds: performance.now() - started };
    },
  });
}
