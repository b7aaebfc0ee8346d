/** Pictures of a scene that is being baked, for a moving camera: by WebGL2, or by the workers where there is none. */

import { BakedRenderer } from "./baked_renderer.js";
import { bake } from "./baking.js";

/** @typedef {import("../field/baked_volume.js").Baked} Baked */

export class BakedPictures {
  /** @type {BakedRenderer | undefined} */
  #renderer;
  /** Whether the workers hold a baked scene. */
  isShared = false;

  /** @param {import("./render_pool.js").RenderPool} pool @param {(isLast: boolean) => void} report called for each level */
  constructor(pool, report) {
    this.pool = pool;
    this.report = report;
  }

  async begin() {
    const scene = await this.pool.scene;
    try {
      this.#renderer = new BakedRenderer(scene);
    } catch {
      this.isShared = false; // and the workers render, once something is baked
    }
    await bake(this.pool, (baked, isLast) => this.#receive(baked, isLast));
  }

  /** @param {Baked} baked @param {boolean} isLast */
  #receive(baked, isLast) {
    if (this.#renderer) this.#renderer.load(baked);
    else {
      this.pool.share(baked);
      this.isShared = true;
    }
    this.report(isLast);
  }

  /** Whether `draw` has something to draw. */
  get isReady() {
    return this.#renderer?.isReady ?? false;
  }

  /** @param {Parameters<BakedRenderer["draw"]>} how */
  draw(...how) {
    return this.#renderer?.draw(...how) ?? null;
  }

  dispose() {
    this.#renderer?.dispose();
  }
}
