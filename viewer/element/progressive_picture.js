/** A scene on a canvas: few pixels while the camera moves, and more as soon as it rests. */

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {"rgb" | "depth" | "accumulation" | "normals"} Output */
/** @typedef {{ width: number, height: number, isLast: boolean }} Progress */

export const OUTPUTS = /** @type {const} */ (["rgb", "depth", "accumulation", "normals"]);

const FIRST = 96; // pixels of the longer side of the first picture
const SMALLEST = 48;
const FINER = 6; // times the side, from one picture to the next
const SECONDS = 0.15; // that a picture may take while the camera moves
const SMALLEST_RANGE = 1e-12;

export class ProgressivePicture {
  /** @type {Camera | undefined} */
  #camera;
  #wanted = "";
  #version = 0;
  #isRunning = false;
  #isRefining = false;
  #moving = FIRST;
  /** What was rendered of the picture on the canvas: 8 numbers for each pixel. */
  #values = new Float32Array(0);

  /** Pixels of the longer side while the camera rests. */
  rest = 640;
  /** @type {Output} */
  output = "rgb";

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
    this.#version += 1;
    if (this.#isRefining) this.pool.abandon();
    if (!this.#isRunning) this.#run();
  }

  async #run() {
    this.#isRunning = true;
    for (let version = -1; version !== this.#version; ) {
      version = this.#version;
      const started = performance.now();
      let side = Math.min(this.#moving, this.rest);
      const [width, height] = await this.#render(side); // to its end, even while the camera moves
      this.#adapt((width * height) / (performance.now() - started));
      this.#isRefining = true;
      while (version === this.#version && side < this.rest) {
        side = FINER * side < this.rest ? 4 * side : this.rest;
        await this.#render(side);
      }
      this.#isRefining = false;
    }
    this.#isRunning = false;
  }

  /** Choose the pixels that the next picture of a moving camera has. @param {number} rate rays in a millisecond */
  #adapt(rate) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const aspect = Math.max(width, height) / Math.max(1, Math.min(width, height));
    this.#moving = Math.max(SMALLEST, Math.min(2 * FIRST, Math.round(Math.sqrt(1000 * SECONDS * rate * aspect))));
  }

  /** @param {number} side pixels of the longer side @returns {Promise<[number, number]>} width and height */
  async #render(side) {
    const camera = /** @type {Camera} */ (this.#camera);
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const longest = Math.max(1, w, h);
    const [width, height] = [w, h].map((length) => Math.max(1, Math.round((length * side) / longest)));
    const lens = filling(camera.lens, width, height);
    this.#begin(width, height);
    const isWhole = await this.pool.render({ ...camera, lens }, this.output === "normals", (rows) => this.#receive(rows));
    if (isWhole) {
      this.#paint(0, height);
      this.canvas.dataset.side = String(Math.max(width, height));
      this.report({ width, height, isLast: side >= this.rest });
    }
    return [width, height];
  }

  /** Make the canvas ready for a picture of another size; the one before stays until rows take its place. @param {number} width @param {number} height */
  #begin(width, height) {
    this.#values = new Float32Array(8 * width * height);
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
      const at = 8 * (from + pixel);
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
    const values = this.#values.subarray(8 * start * width, 8 * stop * width);
    const colour = this.#colouring();
    for (let pixel = 0; pixel < width * (stop - start); pixel++) {
      colour(values, 8 * pixel).forEach((x, channel) => (image.data[4 * pixel + channel] = Math.round(255 * x)));
      image.data[4 * pixel + 3] = 255;
    }
    this.context.putImageData(image, 0, start);
  }

  /** How the numbers of a pixel are shown: as `sinenerf render` does. @returns {(values: Float32Array, at: number) => number[]} */
  #colouring() {
    if (this.output === "rgb") return (values, at) => [values[at], values[at + 1], values[at + 2]];
    if (this.output === "accumulation") return (values, at) => Array(3).fill(values[at + 4]);
    if (this.output === "normals") return (values, at) => [5, 6, 7].map((i) => (1 + values[at + i]) / 2);
    /** @param {number} at */
    const nearness = (at) => 1 / Math.max(1e-6, this.#values[at + 3]);
    let [low, high] = [Infinity, 0];
    for (let at = 0; at < this.#values.length; at += 8) {
      low = Math.min(low, nearness(at));
      high = Math.max(high, nearness(at));
    }
    const range = Math.max(SMALLEST_RANGE, high - low);
    return (values, at) => Array(3).fill((1 / Math.max(1e-6, values[at + 3]) - low) / range);
  }
}

/**
 * The lens for a picture of this size, such that the photographs' field of view fills it.
 *
 * @param {import("../decoder/radiance.js").Lens} lens
 * @param {number} width
 * @param {number} height
 * @returns {import("../decoder/radiance.js").Lens}
 */
export function filling(lens, width, height) {
  const aspect = lens.width / lens.height;
  const isSame = Math.abs(width - height * aspect) <= Math.max(1, aspect); // up to rounding
  const scale = Math.max(width / lens.width, height / lens.height);
  const [x, y] = isSame ? [width / lens.width, height / lens.height] : [scale, scale];
  const [cx, cy] = [width / 2 + (lens.cx - lens.width / 2) * x, height / 2 + (lens.cy - lens.height / 2) * y];
  return { fx: lens.fx * x, fy: lens.fy * y, cx, cy, width, height };
}
