/** Workers that render pictures of one scene, some rows at a time. */

import workerSource from "worker:./scene_worker.js";

import { startWorker } from "./workers.js";

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {import("../decoder/radiance.js").Capture} Capture */
/** @typedef {import("./scene_worker.js").SeenRows} SeenRows */

const MOST_WORKERS = 8;
const RAYS = 1024; // of a worker's turn: it ends soon after a picture is abandoned

export class RenderPool {
  /** @type {((rows: SeenRows) => void)[]} by worker, while it renders */
  #receivers = [];
  #picture = 0;

  /** @param {Uint8Array} data a scene's file @param {(message: string) => void} fail */
  constructor(data, fail) {
    /** @type {Promise<Capture>} of the file, once a worker has decoded it */
    this.capture = new Promise((resolve) => {
      const count = Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 2));
      this.workers = Array.from({ length: count }, (_, index) => {
        const receive = (/** @type {any} */ reply) => (reply.capture ? resolve(reply.capture) : this.#receivers[index](reply));
        const worker = startWorker(workerSource, receive, fail);
        worker.postMessage({ file: data });
        return worker;
      });
    });
  }

  /** Render no further rows of the picture at hand. */
  abandon() {
    this.#picture += 1;
  }

  /**
   * @param {Camera} camera
   * @param {boolean} withNormals
   * @param {(rows: SeenRows) => void} paint called for rows as they are ready, those in the middle first
   * @returns {Promise<boolean>} whether the picture was completed
   */
  async render(camera, withNormals, paint) {
    const picture = ++this.#picture;
    const { width, height } = camera.lens;
    const rows = Math.max(1, Math.floor(RAYS / width));
    const starts = Array.from({ length: Math.ceil(height / rows) }, (_, i) => i * rows);
    starts.sort((a, b) => Math.abs(a + rows / 2 - height / 2) - Math.abs(b + rows / 2 - height / 2));
    await Promise.all(this.workers.map(async (worker, index) => {
      for (let start = starts.shift(); start !== undefined && picture === this.#picture; start = starts.shift()) {
        const request = { camera, start, stop: Math.min(height, start + rows), withNormals };
        const seen = await this.#ask(worker, index, request);
        if (picture === this.#picture) paint(seen);
      }
    }));
    return picture === this.#picture;
  }

  /** @param {Worker} worker @param {number} index @param {import("./scene_worker.js").Rows} request @returns {Promise<SeenRows>} */
  #ask(worker, index, request) {
    return new Promise((resolve) => {
      this.#receivers[index] = resolve;
      worker.postMessage(request);
    });
  }

  close() {
    this.abandon();
    for (const worker of this.workers) worker.terminate();
  }
}
