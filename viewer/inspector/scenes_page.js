/** The page for scenes: panes with one camera, overlays, and the controls. */

import { Vector3 } from "three";

import { focusOf } from "../field/camera.js";
import { OUTPUTS } from "../element/outputs.js";
import { CameraPath } from "../element/scene_camera.js";
import { addButton, addCheckbox, addGroup, addSelect, addSlider, listViews, panel } from "./panel.js";
import { ScenePane } from "./scene_pane.js";
import { countDrawing, element } from "./stage.js";

const SIDES = [96, 192, 256, 384, 512, 768, 1024]; // of a picture at rest, in pixels

/** @typedef {import("./requests.js").Asset} Asset */

export class ScenesPage {
  /** @type {ScenePane[]} */
  views = [];
  overlay = element("div");
  viewList = this.overlay.appendChild(element("div"));
  #path = new CameraPath((position) => {
    this.stage.camera.position.fromArray(position);
    this.stage.controls?.update();
  });

  /** @param {import("./requests.js").State} state @param {import("./stage.js").Stage} stage */
  constructor(state, stage) {
    this.state = state;
    this.stage = stage;
    this.settings = { layout: "side", output: /** @type {import("../element/outputs.js").Output} */ ("rgb"), rest: 512, opacity: 0.5 };
    this.playing = this.addControls();
    this.controls = [...panel.children];
  }

  /** Take over the stage and the panel from another page. */
  enter() {
    this.stage.canvas.hidden = true;
    this.stage.draw = countDrawing;
    panel.replaceChildren(...this.controls);
  }

  /** Give the page to another, or to other scenes. */
  leave() {
    for (const view of this.views) view.dispose();
    this.views = [];
    this.#path.stop();
    this.playing.checked = false;
  }

  /** @param {Asset[]} assets */
  async show(assets) {
    this.leave();
    const views = (this.views = assets.map((asset) => new ScenePane(asset, this)));
    const isOutdated = () => views !== this.views; // something else has been opened since
    this.arrange();
    await views[0].load();
    if (isOutdated()) return;
    this.placeCamera(views[0]);
    await Promise.all(views.slice(1).map((view) => view.load()));
    if (!isOutdated()) this.watchCamera();
  }

  /** Move the camera to a scene's home view. @param {ScenePane} view */
  placeCamera({ capture, up }) {
    if (!capture) return;
    this.stage.onMove = () => {};
    const controls = this.stage.place(new Vector3(...capture.position), new Vector3(...focusOf(capture)), new Vector3(...up));
    controls.rotateSpeed = 0.4;
    controls.addEventListener("start", () => this.setPlaying(false));
  }

  reset() {
    this.setPlaying(false);
    this.placeCamera(this.views[0]);
    this.watchCamera();
  }

  /** Render what the camera sees from now on. */
  watchCamera() {
    this.stage.onMove = () => this.views.forEach((view) => view.moved());
    this.stage.onMove();
  }

  /** Follow the path around the first scene's home view, until someone takes the camera. @param {boolean} playing */
  setPlaying(playing) {
    const { capture } = this.views[0];
    this.playing.checked = playing && Boolean(capture);
    if (playing && capture) this.#path.play(capture);
    else this.#path.stop();
  }

  arrange() {
    const overlaid = this.settings.layout === "overlaid";
    const entries = this.views.map((view) => ({ view, label: view.label.element }));
    this.stage.arrange(overlaid ? [entries] : entries.map((entry) => [entry]));
    this.stage.container.classList.toggle("overlaid", overlaid);
    for (const pane of this.stage.panes) pane.element.prepend(...pane.entries.map((entry) => entry.view.canvas));
    this.overlay.hidden = !overlaid || this.views.length < 2;
    listViews(this.viewList, this.views, () => this.setOpacity());
    this.setOpacity();
    this.stage.onMove();
  }

  setOpacity() {
    const overlaid = this.settings.layout === "overlaid";
    this.views.forEach((view, index) => {
      view.canvas.style.opacity = String(overlaid && index > 0 ? this.settings.opacity : 1);
      view.canvas.style.visibility = overlaid && !view.shown ? "hidden" : "visible";
    });
  }

  /** @returns {HTMLInputElement} whether the camera follows its path */
  addControls() {
    const { settings } = this;
    panel.replaceChildren();
    const view = addGroup("View");
    const layouts = { side: "side by side", overlaid: "overlaid" };
    addSelect(view, "Layout", "layout", layouts, settings.layout, (layout) => {
      settings.layout = layout;
      this.arrange();
    });
    view.append(this.overlay);
    addSlider(this.overlay, "Opacity", "opacity", [0, 1, 0.05], settings.opacity, (opacity) => {
      settings.opacity = opacity;
      this.setOpacity();
    });
    addButton(view, "Reset camera", "reset", () => this.reset());
    const playing = addCheckbox(view, "Camera path", "playing", false, (playing) => this.setPlaying(playing));
    const picture = addGroup("Picture");
    const outputs = Object.fromEntries(OUTPUTS.map((output) => [output, output]));
    addSelect(picture, "Output", "output", outputs, settings.output, (output) => {
      settings.output = /** @type {import("../element/outputs.js").Output} */ (output);
      this.stage.onMove();
    });
    const sides = Object.fromEntries(SIDES.map((side) => [side, `${side} pixels`]));
    addSelect(picture, "At rest", "rest", sides, settings.rest, (side) => {
      settings.rest = Number(side);
      this.stage.onMove();
    });
    picture.append(element("p", "hint", "Drag to orbit, right-drag or two fingers to pan, scroll or pinch to zoom."));
    return playing;
  }
}
