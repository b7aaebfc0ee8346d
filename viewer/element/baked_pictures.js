/** Pictures of a scene that is being baked, for a moving camera: by WebGL2, or by the workers where there is none. */

import { BakedRenderer } from "./baked_renderer.js";
import { bake } from "./baking.js";

/** @typedef {import("../field/baked_volume.js").Baked} Baked */

export class BakedPictures {
  /** @type {import("./scene_worker.js").Scene | undefined} */
  #scene;
  /** The finest level so far. @type {Baked | undefined} */
  #baked;
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
    this.#scene = await this.pool.scene;
    await bake(this.pool, (baked, isLast) => {
      this.#baked = baked;
      if (this.isShared || !this.pool.isPaused) this.#load();
      this.report(isLast);
    });
  }

  /** Give the finest level to WebGL2, or to the workers where there is none. */
  #load() {
    if (!this.#scene || !this.#baked) return;
    try {
      this.#renderer ??= new BakedRenderer(this.#scene);
    } catch {
      this.pool.share(this.#baked);
      this.isShared = true;
    }
    this.#renderer?.load(this.#baked);
  }

  /** Hold no graphics context while nobody can see the scene: a browser has 16 of them, or 8. @param {boolean} isPaused */
  pause(isPaused) {
    if (isPaused) this.dispose();
    else if (!this.isShared) this.#load();
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
    this.#renderer = undefined;
  }
}
