// One scene: pictures that the server renders from this page's camera, coarse while it moves and finer at rest.
"use strict";

class SceneView {
  constructor(asset, page) {
    this.asset = asset;
    this.page = page;
    this.label = new Label(asset);
    this.canvas = element("canvas", "picture");
    this.shown = true;
  }

  async load() {
    try {
      Object.assign(this, await requestJson("/scene", { asset: this.asset.id }));
      this.label.setCaption(this.caption);
      this.label.setNote("");
    } catch (error) {
      this.label.setNote(error.message, true);
    }
  }

  /** Tangent of half the vertical field of view, such that the photographs' field of view fills the pane. */
  tangent(aspect) {
    return aspect > this.aspect ? (this.tan * this.aspect) / aspect : this.tan;
  }

  /** The camera has moved: abandon the picture being rendered and start again, coarse. */
  moved() {
    this.abort?.abort();
    this.side = this.page.settings.moving;
    if (this.pose) this.render();
  }

  /** Render a picture and, as long as nothing changes, further ones with twice the pixels up to the size at rest. */
  async render() {
    const run = (this.run = (this.run ?? 0) + 1);
    await new Promise(requestAnimationFrame); // several moves within a frame make one picture
    while (run === this.run) {
      const { clientWidth: w, clientHeight: h } = this.canvas;
      if (!w || !h) return;
      const scale = this.side / Math.max(w, h);
      const [width, height] = [w, h].map((side) => Math.max(1, Math.round(side * scale)));
      try {
        this.abort = new AbortController();
        const query = { ...this.cameraQuery(w / h), width, height, output: this.page.settings.output };
        const buffer = await request("/picture", query, `picture-${this.asset.id}`, this.abort.signal);
        if (run !== this.run) return;
        await this.paint(new Blob([buffer], { type: "image/jpeg" }));
      } catch (error) {
        if (!(error instanceof Superseded)) this.label.setNote(error.message, true);
        return;
      }
      const rest = this.page.settings.rest;
      this.label.setNote(`${width} × ${height}${this.side < rest ? ", refining …" : ""}`);
      if (this.side >= rest) return;
      this.side = Math.min(rest, 2 * this.side);
    }
  }

  cameraQuery(aspect) {
    stage.camera.updateMatrixWorld(); // three.js only does so when it draws
    const pose = stage.camera.matrixWorld.elements; // column-major
    const rows = [0, 1, 2].flatMap((row) => [0, 1, 2, 3].map((column) => pose[4 * column + row]));
    return { asset: this.asset.id, pose: rows.join(), tan: this.tangent(aspect) };
  }

  async paint(blob) {
    const picture = await createImageBitmap(blob);
    Object.assign(this.canvas, { width: picture.width, height: picture.height });
    this.canvas.getContext("2d").drawImage(picture, 0, 0);
    this.canvas.dataset.side = String(Math.max(picture.width, picture.height));
  }
}

/** A scene in an exported page: a film along a closed path, advanced by dragging. */
class FilmView extends SceneView {
  async load() {
    await super.load();
    this.frames = await requestJson("/flythrough", { asset: this.asset.id });
    this.label.setNote("drag to move along the path");
    await this.showFrame(0);
  }

  moved() {}

  /** Show the frame at a position, counted in frames and taken modulo their number. */
  async showFrame(position) {
    const count = this.frames.length;
    const data = this.frames[((Math.round(position) % count) + count) % count];
    await this.paint(await (await fetch(data)).blob());
  }
}
