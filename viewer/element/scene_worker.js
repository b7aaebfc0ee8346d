/** A worker that decodes a scene once, then renders rows of pictures of it, or whole ones by WebGPU. */

import { SineFileError, decode } from "../decoder/index.js";
import { BakedScene } from "../field/baked_volume.js";
import { Baker } from "../field/baker.js";
import { directionOf } from "../field/camera.js";
import { plainEngine, simdEngine } from "../field/layer_engine.js";
import { RayMarcher } from "../field/ray_marcher.js";
import { GpuPictures } from "../gpu/gpu_pictures.js";
import kernel from "../kernel/radiance.wasm";
import { complaintOf } from "./messages.js";

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {{ camera: Camera, start: number, stop: number, withNormals: boolean, isBaked: boolean }} Rows of a picture */
/** @typedef {import("../field/ray_marcher.js").Seen & { start: number, stop: number }} SeenRows */
/** @typedef {Parameters<Baker["mark"]>} Mark */
/** @typedef {Parameters<Baker["evaluate"]>} Voxels */
/** What the page needs to know of a scene.
 * @typedef {{ capture: import("../decoder/radiance.js").Capture, warp: import("../decoder/radiance.js").Warp,
 *   background: "last_sample" | "white" | "black" }} Scene */

/** @type {Promise<{ file: import("../decoder/index.js").RadianceFile, scene: Scene, marcher: RayMarcher, baker: Baker }>} */
let opened;
/** @type {GpuPictures | undefined} */
let gpu;
let latest = 0; // picture that is wanted of the GPU
/** @type {BakedScene | undefined} */
let baked;

/** @param {Uint8Array} data */
async function open(data) {
  const file = decode(data);
  if (file.kind !== "radiance") throw new SineFileError("holds no scene");
  const marcher = new RayMarcher(file, await simdEngine(kernel).catch(plainEngine));
  const scene = { capture: file.capture, warp: file.warp, background: file.config.background };
  postMessage({ scene });
  return { file, scene, marcher, baker: new Baker(marcher, file.warp) };
}

/** @param {Rows} rows */
async function render({ camera, start, stop, withNormals, isBaked }) {
  /** @type {import("../field/warps.js").Vector[]} */
  const directions = [];
  for (let y = start; y < stop; y++) for (let x = 0; x < camera.lens.width; x++) directions.push(directionOf(camera, x, y));
  const [x, y, z] = camera.position;
  const renderer = isBaked && baked ? baked : (await opened).marcher;
  const seen = renderer.render([x, y, z], directions, withNormals);
  reply({ ...seen, start, stop }, Object.values(seen));
}

/** @param {Mark} mark */
async function markBricks(mark) {
  const found = (await opened).baker.mark(...mark);
  reply(found, Object.values(found));
}

/** @param {Voxels} voxels */
async function evaluate(voxels) {
  const { baker } = await opened;
  const started = performance.now();
  const values = baker.evaluate(...voxels);
  reply({ values, milliseconds: performance.now() - started }, [values]);
}

/** @param {{ allowsSoftware: boolean }} settings */
async function openGpu({ allowsSoftware }) {
  const { file, marcher } = await opened;
  try {
    gpu = await GpuPictures.open(file, marcher, allowsSoftware);
    gpu.lost.then(({ message }) => postMessage({ isGpuOpen: false, reason: message }));
    postMessage({ isGpuOpen: true });
  } catch (error) {
    postMessage({ isGpuOpen: false, reason: String(error) });
  }
}

/** @param {{ camera: Camera, number: number }} picture */
async function renderByGpu({ camera, number }) {
  latest = number;
  await gpu?.render(camera, () => number === latest, (rows) => {
    reply({ rows, number }, [rows.colour, rows.depth, rows.accumulation]);
  });
  postMessage({ number });
}

/** @param {object} message @param {(ArrayBufferView | null)[]} arrays of the message, which are handed over */
function reply(message, arrays) {
  postMessage(message, { transfer: arrays.flatMap((array) => (array ? [/** @type {ArrayBuffer} */ (array.buffer)] : [])) });
}

/** @param {any} data one of the requests, by its name */
async function answer({ file, rows, mark, voxels, volume, gpu: settings, picture, latest: wanted }) {
  if (file) await (opened = open(file));
  if (rows) await render(rows);
  if (mark) await markBricks(mark);
  if (voxels) await evaluate(voxels);
  if (settings) await openGpu(settings);
  if (picture) await renderByGpu(picture);
  if (wanted) latest = wanted;
  if (volume) {
    const { warp, background } = (await opened).scene;
    baked = new BakedScene(volume, warp, background);
  }
}

addEventListener("message", ({ data }) => {
  answer(data).catch((error) => {
    if (gpu) return postMessage({ isGpuOpen: false, reason: String(error) }); // its device was lost
    postMessage({ error: complaintOf(error, SineFileError) });
  });
});
