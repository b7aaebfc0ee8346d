/** One scene: its pictures, rendered on this page, coarse while the camera moves and finer at rest. */

import { decode } from "../decoder/index.js";
import { messageOf } from "../element/messages.js";
import { ProgressivePicture } from "../element/progressive_picture.js";
import { RenderPool } from "../element/render_pool.js";
import { cameraOf } from "../element/scene_camera.js";
import { upOf } from "../field/camera.js";
import { captionOf } from "./caption.js";
import { request } from "./requests.js";
import { Label, element } from "./stage.js";

export class ScenePane {
  /** @type {import("../decoder/radiance.js").Capture | undefined} */
  capture;
  /** About which the camera turns. @type {number[]} */
  up = [0, 1, 0];
  /** @type {RenderPool | undefined} */
  pool;
  /** @type {ProgressivePicture | undefined} */
  picture;
  #isDisposed = false;

  /** @param {import("./requests.js").Asset} asset @param {import("./scenes_page.js").ScenesPage} page */
  constructor(asset, page) {
    this.asset = asset;
    this.page = page;
    this.label = new Label(asset);
    this.canvas = element("canvas", "picture");
    this.shown = true;
  }

  async load() {
    try {
      const data = new Uint8Array(await request("/file", { asset: this.asset.id }));
      if (this.#isDisposed) return;
      const file = decode(data);
      if (file.kind !== "radiance") throw new Error("The file holds no scene");
      this.capture = file.capture;
      this.up = upOf(file);
      this.label.setCaption(captionOf(file, data.length));
      this.pool = new RenderPool(data, (message) => this.label.setNote(message, true));
      this.picture = new ProgressivePicture(this.canvas, this.pool, ({ width, height, isLast }) =>
        this.label.setNote(`${width} × ${height}${isLast ? "" : ", refining …"}`));
      this.picture.accelerate(null);
    } catch (error) {
      this.label.setNote(messageOf(error), true);
    }
  }

  /** The camera, or what is to be shown, has changed. */
  moved() {
    if (!this.picture || !this.capture || !this.canvas.clientWidth) return;
    Object.assign(this.picture, { output: this.page.settings.output, rest: this.page.settings.rest });
    this.picture.show(cameraOf(this.page.stage.camera, this.capture.lens));
  }

  dispose() {
    this.#isDisposed = true;
    this.picture?.dispose();
    this.pool?.close();
  }
}
