/** A scene on a canvas: baked, or with fewer pixels, while the camera moves; the field itself as soon as it rests. */

import { filling } from "../field/camera.js";
import { BakedPictures } from "./baked_pictures.js";
import { VALUES, nearnessRange, paintPixels } from "./outputs.js";

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {{ width: number, height: number, isLast: boolean }} Progress */

const FIRST = 96; // pixels of the longer side of the first picture
const SMALLEST = 48;
const STEP = 4; // times the side, from one picture to the next
const LAST_STEP = 6; // at most, to the picture at rest: no small step is left over
const SECONDS = 0.15; // that a picture of the field itself may take while the camera moves
const FAST_SECONDS = 0.03; // that a baked one, or one by a GPU, may take: some of a frame is left for the page
const FINE = 0.5; // of the side at rest: where a GPU gives a moving picture as much, nothing need be baked
const ENOUGH = 4; // pictures by a GPU that show how fast it is
const STEADY = 0.2; // relative change of the side that is not worth a picture of another size
const REST = 120; // milliseconds without a movement, after which the field itself is rendered
const STILL = 2.5; // times the side of a baked picture, once the camera rests

export class ProgressivePicture {
  /** @type {Camera | undefined} */
  #camera;
  /** Of the canvas, in pixels of the page; a hidden one keeps those that it had. */
  #size = [0, 0];
  #wanted = "";
  #version = 0;
  #isRunning = false;
  #isRefining = false;
  /** Pixels of the longer side while the camera moves: of the field, of the field by a GPU, and baked. */
  #moving = { field: FIRST, gpu: FIRST, baked: FIRST };
  #gpuPictures = 0;
  /** @type {Promise<void> | undefined} */
  #acceleration;
  /** What was rendered of the picture on the canvas. */
  #values = new Float32Array(0);
  /** The nearness that is shown as black, and as white. @type {[number, number]} */
  #range = [0, 1];
  /** @type {BakedPictures | undefined} */
  #baked;

  /** Pixels of the longer side while the camera rests. */
  rest = 640;
  /** @type {import("./outputs.js").Output} */
  output = "rgb";
  /** Whether the camera may move: then the scene is baked. */
  moves = true;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./render_pool.js").RenderPool} pool
   * @param {(progress: Progress) => void} report called for each picture
   */
  constructor(canvas, pool, report) {
    this.canvas = canvas;
    this.pool = pool;
    this.report = report;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  }

  /** Show what a camera sees, which has moved or whose output has changed. @param {Camera} camera its lens fills the canvas */
  show(camera) {
    const { clientWidth, clientHeight } = this.canvas;
    const wanted = JSON.stringify([camera, clientWidth, clientHeight, this.rest, this.output]);
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#camera = camera;
    this.#size = [clientWidth, clientHeight];
    this.#version += 1;
    if (this.#isRefining) this.pool.abandon();
    if (!this.#isRunning) this.#run();
  }

  /** Render by WebGPU once it is known that a GPU can: see RenderPool. @param {string | null} renderer */
  async accelerate(renderer) {
    if (this.#acceleration) return; // once for a file
    this.#acceleration = this.pool.accelerate(renderer);
    await this.#acceleration;
    if (!this.pool.hasGpu) return;
    this.#version += 1; // what is rendered without it is rendered again, which also shows how fast it is
    if (this.#isRefining) this.pool.abandon();
    if (!this.#isRunning && this.#camera) this.#run();
  }

  async #run() {
    this.#isRunning = true;
    for (let version = -1; version !== this.#version; ) {
      await this.pool.seen();
      version = this.#version;
      this.pool.sharesTurns = true;
      let side = await this.#glance();
      this.#bake();
      if ((this.#isBaked || this.pool.hasGpu) && !(await this.#rests(version))) continue;
      this.pool.sharesTurns = false;
      this.#isRefining = true;
      if (this.#isBaked) side = this.rest / LAST_STEP; // the picture on the canvas is good enough to go on from
      while (side < this.rest && (await this.#isUpToDate(version))) {
        side = LAST_STEP * side < this.rest ? STEP * side : this.rest;
        await this.#render(side, false);
      }
      this.#isRefining = false;
      this.#bake();
    }
    this.#isRunning = false;
  }

  /** Whether the camera is still where it was, once somebody can see the scene. @param {number} version */
  async #isUpToDate(version) {
    await this.pool.seen();
    return version === this.#version;
  }

  get #isBaked() {
    return Boolean(this.#baked?.isReady || this.#baked?.isShared);
  }

  /** Whether a GPU renders the field itself fast enough for a moving camera, or may turn out to. */
  get #isFast() {
    return this.pool.hasGpu && (this.#moving.gpu >= FINE * this.rest || this.#gpuPictures < ENOUGH);
  }

  async #bake() {
    await this.#acceleration;
    if (this.#baked || !this.moves || this.#isFast) return;
    this.#baked = new BakedPictures(this.pool, (isLast) => (this.canvas.dataset.baked = isLast ? "whole" : "coarse"));
    this.#baked.begin();
  }

  /** One picture in the time that a moving camera leaves. @returns {Promise<number>} its longer side */
  async #glance() {
    if (this.#baked?.isReady && !this.#isFast && this.#drawBaked(this.#moving.baked, true)) return this.#moving.baked;
    if (this.#isByGpu && (this.#isFast || !this.#baked?.isShared)) {
      const side = Math.min(this.#moving.gpu, this.rest);
      await this.#render(side, false);
      return side;
    }
    const [kind, seconds] = this.#baked?.isShared ? /** @type {const} */ (["baked", SECONDS / 2]) : /** @type {const} */ (["field", SECONDS]);
    const side = Math.min(this.#moving[kind], this.rest);
    const started = performance.now();
    await this.#render(side, kind === "baked"); // to its end, even while the camera moves
    this.#moving[kind] = this.#adapted(side, seconds, performance.now() - started, kind === "baked" ? this.rest : 2 * FIRST);
    return side;
  }

  /** Whether the camera stays where it is, once a baked picture has been seen. @param {number} version */
  async #rests(version) {
    const until = performance.now() + REST;
    do await new Promise(requestAnimationFrame);
    while (version === this.#version && performance.now() < until);
    if (version === this.#version && this.#baked?.isReady) this.#drawBaked(Math.min(this.rest, STILL * this.#moving.baked), false);
    return version === this.#version;
  }

  /** @param {number} side @param {boolean} isMoving @returns {boolean} whether there is a picture */
  #drawBaked(side, isMoving) {
    const started = performance.now();
    const image = this.#baked?.draw(this.#cameraFor(Math.min(side, this.rest)), this.output, this.#range);
    if (!image) return false;
    if (this.canvas.width !== image.width || this.canvas.height !== image.height) {
      Object.assign(this.canvas, { width: image.width, height: image.height });
    }
    this.context.putImageData(image, 0, 0);
    if (isMoving) this.#moving.baked = this.#adapted(side, FAST_SECONDS, performance.now() - started, this.rest);
    this.#tell(image.width, image.height, false);
    return true;
  }

  /** The pixels that the next picture of a moving camera has. @param {number} side @param {number} seconds @param {number} taken milliseconds @param {number} most */
  #adapted(side, seconds, taken, most) {
    const wanted = Math.max(SMALLEST, Math.min(most, Math.round(side * Math.sqrt((1000 * seconds) / taken))));
    return Math.abs(wanted - side) > STEADY * side || wanted === most ? wanted : side;
  }

  /** @param {number} side of a picture by a GPU @param {number} taken milliseconds */
  #measure(side, taken) {
    this.#moving.gpu = this.#adapted(side, FAST_SECONDS, taken, this.rest);
    this.#gpuPictures += side >= this.rest ? ENOUGH : 1; // many pixels tell more
  }

  /** Whether a GPU renders what is to be shown. */
  get #isByGpu() {
    return this.pool.hasGpu && this.output !== "normals"; // whose gradients only the workers find
  }

  /** The camera with so many pixels along the longer side. @param {number} side @returns {Camera} */
  #cameraFor(side) {
    const camera = /** @type {Camera} */ (this.#camera);
    const [width, height] = this.#size.map((length) => Math.max(1, Math.round((length * side) / Math.max(...this.#size))));
    return { ...camera, lens: filling(camera.lens, width, height) };
  }

  /** @param {number} side pixels of the longer side @param {boolean} isBaked */
  async #render(side, isBaked) {
    const camera = this.#cameraFor(side);
    const { width, height } = camera.lens;
    this.#begin(width, height);
    const withNormals = this.output === "normals";
    const [isByGpu, started] = [this.#isByGpu && !isBaked, performance.now()];
    const isWhole = await this.pool.render(camera, { withNormals, isBaked }, (rows) => this.#receive(rows));
    if (!isWhole) return;
    if (isByGpu && this.#isByGpu) this.#measure(side, performance.now() - started);
    this.canvas.dataset.renderer = isByGpu && this.#isByGpu ? "webgpu" : "wasm";
    this.#range = nearnessRange(this.#values);
    this.#paint(0, height);
    this.#tell(width, height, side >= this.rest && !isBaked);
  }

  /** @param {number} width @param {number} height @param {boolean} isLast */
  #tell(width, height, isLast) {
    this.canvas.dataset.side = String(Math.max(width, height));
    this.report({ width, height, isLast });
  }

  /** Make the canvas ready for a picture of another size; the one before stays until rows take its place. @param {number} width @param {number} height */
  #begin(width, height) {
    this.#values = new Float32Array(VALUES * width * height);
    if (this.canvas.width === width && this.canvas.height === height) return;
    const before = document.createElement("canvas");
    Object.assign(before, { width: this.canvas.width, height: this.canvas.height });
    before.getContext("2d")?.drawImage(this.canvas, 0, 0);
    Object.assign(this.canvas, { width, height });
    this.context.drawImage(before, 0, 0, width, height);
  }

  /** @param {import("./scene_worker.js").SeenRows} rows */
  #receive({ start, stop, colour, depth, accumulation, normals }) {
    const from = start * this.canvas.width;
    for (let pixel = 0; pixel < depth.length; pixel++) {
      const at = VALUES * (from + pixel);
      this.#values.set(colour.subarray(3 * pixel, 3 * pixel + 3), at);
      this.#values[at + 3] = depth[pixel];
      this.#values[at + 4] = accumulation[pixel];
      if (normals) this.#values.set(normals.subarray(3 * pixel, 3 * pixel + 3), at + 5);
    }
    if (this.output !== "depth") this.#paint(start, stop); // whose colours need the depths of all pixels
  }

  /** @param {number} start @param {number} stop rows */
  #paint(start, stop) {
    const width = this.canvas.width;
    const image = this.context.createImageData(width, stop - start);
    paintPixels(this.#values.subarray(VALUES * start * width, VALUES * stop * width), this.output, this.#range, image.data);
    this.context.putImageData(image, 0, start);
  }

  /** @param {boolean} isPaused because nobody can see the scene */
  pause(isPaused) {
    this.pool.pause(isPaused);
    this.#baked?.pause(isPaused);
  }

  dispose() {
    this.moves = false; // nothing is baked from now on
    this.#baked?.dispose();
  }
}
