/** Pictures of one scene by WebGPU, in a worker: rows by rows, for no longer at a time than a page can wait for its GPU. */

import { chunksFromTheMiddle, directionOf, homeCamera, resized } from "../field/camera.js";
import { checked, findAdapter, openDevice } from "./device.js";
import { GpuMarcher } from "./gpu_marcher.js";

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {import("../element/scene_worker.js").SeenRows} SeenRows */

const MILLISECONDS = 12; // of a tile
const [FIRST_RAYS, FEWEST_RAYS] = [2048, 256]; // of a tile
const AHEAD = 2; // chunks that the GPU has been given
const [PROOF_WIDTH, PROOF_HEIGHT] = [8, 6]; // pixels that a GPU must render as WebAssembly does
const LARGEST_ERROR = 1e-2; // of their colours, root of the mean square

export class GpuPictures {
  #rays = FIRST_RAYS;
  #last = 0;

  /** @param {GpuMarcher} marcher */
  constructor(marcher) {
    this.marcher = marcher;
    this.lost = marcher.device.lost;
  }

  /**
   * @param {import("../decoder/index.js").RadianceFile} file
   * @param {import("../field/ray_marcher.js").RayMarcher} reference
   * @param {boolean} allowsSoftware
   * @throws {Error} there is no GPU, or it is not right for this scene
   */
  static async open(file, reference, allowsSoftware) {
    const adapter = await findAdapter(allowsSoftware);
    if (!adapter) throw new Error("there is no GPU");
    const device = await openDevice(adapter);
    try {
      return await checked(device, async () => {
        const marcher = new GpuMarcher(file, device);
        await marcher.prepare();
        await prove(marcher, reference, homeCamera(file.capture));
        return new GpuPictures(marcher);
      });
    } catch (error) {
      device.destroy();
      throw error;
    }
  }

  /**
   * @param {Camera} camera
   * @param {() => boolean} isWanted asked before each chunk
   * @param {(rows: SeenRows) => void} send called for rows as they are ready, those in the middle first
   * @throws {Error} the device is lost
   */
  async render(camera, isWanted, send) {
    const { width, height } = camera.lens;
    const rows = Math.max(1, Math.floor(this.#rays / width));
    /** @type {Promise<void>[]} */
    const pending = [];
    for (const { start, stop } of chunksFromTheMiddle(height, rows)) {
      if (pending.length >= AHEAD) await pending.shift();
      if (!isWanted()) break;
      pending.push(this.#chunk(camera, start, stop).then(send));
    }
    await Promise.all(pending);
  }

  /** @param {Camera} camera @param {number} start row @param {number} stop @returns {Promise<SeenRows>} */
  async #chunk(camera, start, stop) {
    const asked = performance.now();
    const pixels = await this.marcher.render(camera, start, stop, this.#rays);
    const now = performance.now();
    const rays = camera.lens.width * (stop - start);
    const perTile = ((now - Math.max(asked, this.#last)) / rays) * Math.min(rays, this.#rays);
    this.#last = now;
    const factor = Math.max(0.25, Math.min(2, MILLISECONDS / perTile));
    // a chunk of few rays says little about one of many
    if (factor < 1 || 2 * rays > this.#rays) this.#rays = Math.round(this.#rays * factor);
    this.#rays = Math.max(FEWEST_RAYS, Math.min(this.marcher.sizes.capacity, this.#rays));
    return { ...parts(pixels, rays), start, stop, normals: null };
  }
}

/** @param {Float32Array} pixels @param {number} rays */
const parts = (pixels, rays) => ({
  colour: pixels.slice(0, 3 * rays), depth: pixels.slice(3 * rays, 4 * rays), accumulation: pixels.slice(4 * rays, 5 * rays),
});

/**
 * Compare a small picture with that of the processor: shaders pass through compilers that nobody has tested with ours.
 *
 * @param {GpuMarcher} marcher
 * @param {import("../field/ray_marcher.js").RayMarcher} reference
 * @param {Camera} home
 */
async function prove(marcher, reference, home) {
  const camera = { ...home, lens: resized(home.lens, PROOF_WIDTH, PROOF_HEIGHT) };
  const found = await marcher.render(camera, 0, PROOF_HEIGHT, FIRST_RAYS);
  const directions = Array.from({ length: PROOF_WIDTH * PROOF_HEIGHT }, (_, i) => directionOf(camera, i % PROOF_WIDTH, Math.floor(i / PROOF_WIDTH)));
  const [x, y, z] = camera.position;
  const { colour } = reference.render([x, y, z], directions);
  const squares = colour.reduce((sum, value, i) => sum + (value - found[i]) ** 2, 0);
  if (!(Math.sqrt(squares / colour.length) < LARGEST_ERROR)) throw new Error("this GPU renders other colours");
}
