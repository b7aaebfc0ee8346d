/** What renders pictures of one scene: workers, some rows at a time, which also bake it; or a GPU. */

import workerSource from "worker:./scene_worker.js";

import { chunksFromTheMiddle } from "../field/camera.js";
import { GpuRenderer } from "./gpu_renderer.js";
import { startWorker } from "./workers.js";

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {import("./scene_worker.js").Scene} Scene */
/** @typedef {import("./scene_worker.js").SeenRows} SeenRows */
/** @typedef {import("../field/baked_volume.js").Baked} Baked */
/** @typedef {{ request: object, resolve: (reply: any) => void }} Turn of a worker */

const MOST_WORKERS = 8;
const RAYS = 1024; // of a worker's turn: it ends soon after a picture is abandoned
const BAKED_RAYS = 4096;

export class RenderPool {
  /** Turns that wait: of the picture at hand, and of baking. @type {{ picture: Turn[], baking: Turn[] }} */
  #waiting = { picture: [], baking: [] };
  /** What goes on once somebody can see the scene. @type {(() => void)[]} */
  #unseen = [];
  /** The turn that each worker is busy with. @type {(Turn | undefined)[]} */
  #busy = [];
  #wasBaking = false;
  #picture = 0;
  #resume = () => this.#start();
  /** @type {GpuRenderer | undefined} */
  #gpu;
  #isClosed = false;
  isPaused = false;

  /** Whether baking takes every second turn from the picture at hand; else it waits for the picture. */
  sharesTurns = false;

  /** @param {Uint8Array} data a scene's file @param {(message: string) => void} fail called once: nothing is rendered afterwards */
  constructor(data, fail) {
    this.data = data;
    const end = (/** @type {string} */ message) => {
      if (this.#isClosed) return; // each worker says the same of a damaged file
      this.close();
      fail(message);
    };
    /** @type {Promise<Scene>} of the file, once a worker has decoded it */
    this.scene = new Promise((resolve) => {
      const count = Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 2));
      this.workers = Array.from({ length: count }, (_, index) => {
        const receive = (/** @type {any} */ reply) => (reply.scene ? resolve(reply.scene) : this.#finish(index, reply));
        const worker = startWorker(workerSource, receive, end);
        worker.postMessage({ file: data });
        return worker;
      });
    });
    document.addEventListener("visibilitychange", this.#resume);
  }

  /** Whether a GPU renders colours, depths and accumulations. */
  get hasGpu() {
    return Boolean(this.#gpu);
  }

  /**
   * Render by WebGPU from now on, where there is a GPU that can.
   *
   * @param {string | null} renderer "webgpu": by software, too, which is slower than WebAssembly; "wasm": not at all
   */
  async accelerate(renderer) {
    if (renderer === "wasm") return;
    await this.scene; // the first picture is not delayed
    let isLost = false;
    const gpu = await GpuRenderer.open(this.data, renderer === "webgpu", () => {
      isLost = true;
      this.#gpu = undefined;
    });
    if (this.#isClosed) gpu?.close();
    else if (!isLost) this.#gpu = gpu;
  }

  /** Render no further rows of the picture at hand. */
  abandon() {
    this.#picture += 1;
    this.#gpu?.abandon();
    for (const { resolve } of this.#waiting.picture.splice(0)) resolve(undefined);
  }

  /**
   * @param {Camera} camera
   * @param {{ withNormals: boolean, isBaked: boolean }} how
   * @param {(rows: SeenRows) => void} paint called for rows as they are ready, those in the middle first
   * @returns {Promise<boolean>} whether the picture was completed
   */
  async render(camera, how, paint) {
    this.abandon();
    const picture = this.#picture;
    if (this.#gpu && !how.isBaked && !how.withNormals) {
      await this.#gpu.render(camera, paint);
      if (this.#gpu || picture !== this.#picture) return picture === this.#picture; // else it was lost
    }
    const { width, height } = camera.lens;
    const rows = Math.max(1, Math.floor((how.isBaked ? BAKED_RAYS : RAYS) / width));
    await Promise.all(chunksFromTheMiddle(height, rows).map(async (chunk) => {
      const seen = await this.#ask("picture", { rows: { camera, ...chunk, ...how } });
      if (seen && picture === this.#picture) paint(seen);
    }));
    return picture === this.#picture;
  }

  /**
   * Let a worker mark bricks or evaluate voxels, when no picture needs it.
   *
   * @param {{ mark: import("./scene_worker.js").Mark } | { voxels: import("./scene_worker.js").Voxels }} request
   * @returns {Promise<any>}
   */
  bake(request) {
    return this.#ask("baking", request);
  }

  /** Give the workers a baked scene, to render rows of it. @param {Baked} volume */
  share(volume) {
    for (const worker of this.workers) worker.postMessage({ volume });
  }

  /** @param {"picture" | "baking"} kind @param {object} request */
  #ask(kind, request) {
    return new Promise((resolve) => {
      this.#waiting[kind].push({ request, resolve });
      this.#start();
    });
  }

  /** Give no worker a turn while nobody can see its outcome. @param {boolean} isPaused */
  pause(isPaused) {
    this.isPaused = isPaused;
    this.#start();
  }

  /** Resolves as soon as somebody can see the scene. @returns {Promise<void>} */
  seen() {
    return new Promise((resolve) => {
      this.#unseen.push(resolve);
      this.#start();
    });
  }

  /** Go on, and give each idle worker a turn, unless nobody can see its outcome. */
  #start() {
    if (document.hidden || this.isPaused) return;
    for (const resolve of this.#unseen.splice(0)) resolve();
    this.workers?.forEach((worker, index) => {
      if (this.#busy[index]) return;
      const { picture, baking } = this.#waiting;
      const isBaking = baking.length > 0 && (!picture.length || (this.sharesTurns && !this.#wasBaking));
      const turn = (isBaking ? baking : picture).shift();
      if (!turn) return;
      this.#wasBaking = isBaking;
      this.#busy[index] = turn;
      worker.postMessage(turn.request);
    });
  }

  /** @param {number} index of a worker @param {object} reply */
  #finish(index, reply) {
    const turn = this.#busy[index];
    this.#busy[index] = undefined;
    turn?.resolve(reply);
    this.#start();
  }

  close() {
    document.removeEventListener("visibilitychange", this.#resume);
    this.abandon();
    this.#isClosed = true;
    this.#gpu?.close();
    for (const worker of this.workers) worker.terminate();
  }
}
