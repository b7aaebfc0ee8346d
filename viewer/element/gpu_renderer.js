/** The worker that renders pictures of one scene by WebGPU. */

import workerSource from "worker:./scene_worker.js";

import { findAdapter } from "../gpu/device.js";
import { startWorker } from "./workers.js";

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {import("./scene_worker.js").SeenRows} SeenRows */

export class GpuRenderer {
  #picture = 0;
  /** Ends the picture at hand. @type {() => void} */
  #finish = () => {};
  /** @type {(rows: SeenRows) => void} */
  #paint = () => {};

  /** @param {Worker} worker */
  constructor(worker) {
    this.worker = worker;
  }

  /**
   * @param {Uint8Array} data a scene's file
   * @param {boolean} allowsSoftware whether an adapter will do that runs on the processor
   * @param {() => void} lose called once the device is lost
   * @returns {Promise<GpuRenderer | undefined>} undefined where no GPU can render the scene
   */
  static async open(data, allowsSoftware, lose) {
    if (!(await findAdapter(allowsSoftware))) return undefined;
    return new Promise((resolve) => {
      const end = (/** @type {string} */ reason) => {
        console.info(`sine-view: not by WebGPU: ${reason}`);
        renderer.close();
        resolve(undefined); // unless it was open
        lose();
      };
      const worker = startWorker(workerSource, (reply) => {
        if (reply.isGpuOpen) resolve(renderer);
        else if (reply.isGpuOpen === false) end(reply.reason);
        else renderer.#receive(reply);
      }, end);
      const renderer = new GpuRenderer(worker);
      worker.postMessage({ file: data });
      worker.postMessage({ gpu: { allowsSoftware } });
    });
  }

  /** @param {{ rows?: SeenRows, number: number }} reply */
  #receive({ rows, number }) {
    if (number !== this.#picture) return;
    if (rows) this.#paint(rows);
    else this.#finish();
  }

  /**
   * @param {Camera} camera
   * @param {(rows: SeenRows) => void} paint
   * @returns {Promise<void>} settled too where the picture is abandoned, or the device lost
   */
  render(camera, paint) {
    this.#finish();
    const number = (this.#picture += 1);
    this.#paint = paint;
    this.worker.postMessage({ picture: { camera, number } });
    return new Promise((resolve) => (this.#finish = resolve));
  }

  /** Render no further rows of the picture at hand. */
  abandon() {
    this.#picture += 1;
    this.#finish();
    this.worker.postMessage({ latest: this.#picture });
  }

  close() {
    this.#finish();
    this.worker.terminate();
  }
}
