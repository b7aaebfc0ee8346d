/** The page for shapes: panes, light and clip plane. */

import { DirectionalLight, Group, HemisphereLight, Scene, Vector3, Vector4, WebGLRenderer } from "three";

import { fit } from "../element/stage.js";
import { panel } from "./panel.js";
import { ShapePane } from "./shape_pane.js";
import { OWN, ShapesPanel } from "./shapes_panel.js";
import { countDrawing, element } from "./stage.js";

/** @typedef {import("./stage.js").Pane<ShapePane>} Pane */
/** @typedef {typeof SETTINGS} Settings */

const SETTINGS = {
  layout: "side", resolution: 256, level: 0.5, colour: "plain", range: 0.005, wireframe: false, opacity: 0.5,
  axis: "off", clip: 0, flip: false, turn: 35, height: 35, strength: 1, up: OWN,
};

export class ShapesPage {
  /** @type {ShapePane[]} */
  views = [];
  scene = new Scene();
  root = new Group();
  #run = 0;
  #size = "";

  /** @param {import("./requests.js").State} state @param {import("./stage.js").Stage} stage */
  constructor(state, stage) {
    this.state = state;
    this.stage = stage;
    this.settings = { ...SETTINGS, up: state.up ?? OWN };
    this.scene.add(this.root);
    this.renderer = new WebGLRenderer({ canvas: this.stage.canvas, antialias: true });
    this.renderer.localClippingEnabled = true;
    this.loss = element("p", "error", "The browser has taken the graphics context away; it may come back by itself, or after a reload");
    this.loss.hidden = true;
    this.stage.canvas.after(this.loss);
    for (const change of ["webglcontextlost", "webglcontextrestored"]) {
      this.stage.canvas.addEventListener(change, () => this.stage.redraw());
    }
    this.ambient = new HemisphereLight("#ffffff", "#a39787", 1.1);
    this.light = new DirectionalLight("#ffffff", 2.2);
    this.camera = this.stage.camera;
    this.camera.add(this.light, this.light.target); // the light moves with the camera
    this.scene.add(this.ambient, this.camera);
    this.panel = new ShapesPanel(this);
    this.controls = [...panel.children];
  }

  /** Take over the stage and the panel from another page. */
  enter() {
    this.stage.canvas.hidden = false;
    this.stage.draw = () => this.draw();
    this.stage.onMove = () => {};
    panel.replaceChildren(...this.controls);
    this.placeCamera();
  }

  placeCamera() {
    this.stage.place(new Vector3(1, 0.7, 3.3), new Vector3(), new Vector3(0, 1, 0));
  }

  /** Give the page to another, or to other shapes. */
  leave() {
    for (const view of this.views) {
      this.root.remove(view.group);
      view.dispose();
    }
    this.views = [];
    this.loss.hidden = true;
  }

  /** Show these assets instead of those shown before. @param {import("./requests.js").Asset[]} assets */
  show(assets) {
    this.leave();
    this.views = assets.map((asset, index) => new ShapePane(asset, index, this));
    for (const view of this.views) this.root.add(view.group);
    this.panel.listViews();
    this.arrange();
    this.refresh();
  }

  /** The cube that all shapes in the same place are displayed in, and its up axis: a field's, which knows what is up, or
   * else the original's or that of the first. */
  get frame() {
    const views = this.views;
    return (views.find((view) => view.asset.kind === "shape") ?? views.find((view) => view.asset.original) ?? views[0])?.placement;
  }

  get overlaid() {
    return this.settings.layout === "overlaid";
  }

  arrange() {
    const entries = this.views.map((view) => ({ view, label: view.label.element }));
    this.stage.arrange(this.overlaid ? [entries] : entries.map((entry) => [entry]));
    this.stage.container.classList.toggle("overlaid", this.overlaid);
    this.panel.overlay.hidden = this.views.length < 2 || !this.overlaid;
    this.stage.redraw();
  }

  /** Find all surfaces anew, where the grid or the level has changed. */
  async refresh() {
    const run = ++this.#run;
    await Promise.all(this.views.map((view) => view.load(this.settings)));
    if (run === this.#run) await this.loadQuality();
  }

  async loadQuality() {
    if (!this.state.original) return;
    for (const view of this.views) if (!view.asset.original && view.geometry) await view.loadQuality();
  }

  async recolour() {
    this.panel.legend.hidden = this.settings.colour !== "distance";
    if (this.settings.colour === "distance") {
      for (const view of this.views) {
        if (view.geometry && !view.distances) await view.loadDistances();
      }
    }
    this.stage.redraw();
  }

  setLight() {
    const { turn, height, strength } = this.settings;
    const [a, h] = [(turn * Math.PI) / 180, (height * Math.PI) / 180];
    this.light.position.set(Math.sin(a) * Math.cos(h), Math.sin(h), Math.cos(a) * Math.cos(h)).multiplyScalar(5);
    this.light.intensity = 2.2 * strength;
    this.ambient.intensity = 1.1 * strength;
  }

  draw() {
    const box = this.stage.canvas.getBoundingClientRect();
    if (!box.width) return;
    this.loss.hidden = !this.renderer.getContext().isContextLost();
    const size = `${box.width} ${box.height} ${devicePixelRatio}`; // which zooming and other monitors change
    if (this.#size !== size) {
      this.renderer.setPixelRatio(Math.min(2, devicePixelRatio));
      this.renderer.setSize(box.width, box.height, false);
    }
    this.#size = size;
    this.setLight();
    this.views.forEach((view, index) => view.applySettings(this.settings, this.overlaid, index === 0));
    this.renderer.setScissorTest(true);
    this.renderer.setClearColor("#f4f2ee");
    for (const pane of this.stage.panes) this.drawPane(pane, box);
    countDrawing();
  }

  /** @param {Pane} pane @param {DOMRect} box of the stage */
  drawPane({ element: paneElement, entries }, box) {
    const pane = paneElement.getBoundingClientRect();
    fit(this.camera, pane.width / pane.height);
    const views = entries.map((entry) => entry.view);
    for (const view of this.views) view.group.visible = views.includes(view) && (view.shown || !this.overlaid);
    const area = new Vector4(pane.left - box.left, box.bottom - pane.bottom, pane.width, pane.height);
    this.renderer.setViewport(area);
    this.renderer.setScissor(area);
    this.renderer.render(this.scene, this.camera);
  }
}
