/** A worker that decodes a scene once, then renders rows of pictures of it. */

import { SineFileError, decode } from "../decoder/index.js";
import { directionOf } from "../field/camera.js";
import { plainEngine, simdEngine } from "../field/layer_engine.js";
import { RayMarcher } from "../field/ray_marcher.js";
import kernel from "../kernel/radiance.wasm";

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {{ camera: Camera, start: number, stop: number, withNormals: boolean }} Rows of a picture */
/** @typedef {import("../field/ray_marcher.js").Seen & { start: number, stop: number }} SeenRows */

/** @type {Promise<RayMarcher>} */
let marcher;

/** @param {Uint8Array} data */
async function open(data) {
  const file = decode(data);
  if (file.kind !== "radiance") throw new SineFileError("holds no scene");
  const opened = new RayMarcher(file, await simdEngine(kernel).catch(plainEngine));
  postMessage({ capture: file.capture });
  return opened;
}

/** @param {Rows} rows */
async function render({ camera, start, stop, withNormals }) {
  /** @type {import("../field/warps.js").Vector[]} */
  const directions = [];
  for (let y = start; y < stop; y++) for (let x = 0; x < camera.lens.width; x++) directions.push(directionOf(camera, x, y));
  const [x, y, z] = camera.position;
  const seen = (await marcher).render([x, y, z], directions, withNormals);
  const arrays = Object.values(seen).filter((array) => array !== null);
  postMessage({ ...seen, start, stop }, { transfer: arrays.map((array) => array.buffer) });
}

addEventListener("message", ({ data }) => {
  const work = data.file ? (marcher = open(data.file)) : render(data);
  work.catch((error) => {
    const message = error instanceof RangeError ? "needs more memory than the browser gives" : String(error);
    postMessage({ error: error instanceof SineFileError ? error.message : message });
  });
});
