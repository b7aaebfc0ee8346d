// The page for scenes: panes with one camera, overlays, and the controls.

import { Vector3 } from "three";

import { focusOf, positionOnPath } from "../field/camera.js";
import { addButton, addCheckbox, addGroup, addSelect, addSlider, listViews, panel } from "./panel.js";
import { ScenePane } from "./scene_pane.js";
import { countDrawing, element } from "./stage.js";

const PATH_SECONDS = 20; // of once around the path

export class ScenesPage {
  constructor(state, stage) {
    this.state = state;
    this.stage = stage;
    this.settings = { layout: "side", output: "rgb", rest: 512, opacity: 0.5, playing: false };
    this.views = [];
    this.addControls();
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
    this.settings.playing = false;
  }

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

  /** Move the camera to a scene's home view. */
  placeCamera({ capture }) {
    if (!capture) return;
    const up = [1, 4, 7].map((place) => capture.rotation[place]);
    this.stage.onMove = () => {};
    this.stage.place(new Vector3(...capture.position), new Vector3(...focusOf(capture)), new Vector3(...up));
    this.stage.controls.rotateSpeed = 0.4;
    this.stage.controls.addEventListener("start", () => this.setPlaying(false));
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

  /** Follow the path around the first scene's home view, until someone takes the camera. */
  setPlaying(playing) {
    const { capture } = this.views[0];
    this.settings.playing = this.playing.checked = playing && Boolean(capture);
    let last = performance.now();
    const step = (now) => {
      if (!this.settings.playing) return;
      this.angle = (this.angle ?? 0) + ((now - last) / 1000 / PATH_SECONDS) * 2 * Math.PI;
      last = now;
      this.stage.camera.position.set(...positionOnPath(capture, this.angle));
      this.stage.controls.update();
      requestAnimationFrame(step);
    };
    if (this.settings.playing) requestAnimationFrame(step);
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
      view.canvas.style.opacity = overlaid && index > 0 ? this.settings.opacity : 1;
      view.canvas.style.visibility = overlaid && !view.shown ? "hidden" : "visible";
    });
  }

  addControls() {
    const { settings } = this;
    const setter = (name, update) => (value) => {
      settings[name] = value;
      update();
    };
    panel.replaceChildren();
    const view = addGroup("View");
    const layouts = { side: "side by side", overlaid: "overlaid" };
    addSelect(view, "Layout", "layout", layouts, settings.layout, setter("layout", () => this.arrange()));
    this.overlay = view.appendChild(element("div"));
    this.viewList = this.overlay.appendChild(element("div"));
    const setOpacity = setter("opacity", () => this.setOpacity());
    addSlider(this.overlay, "Opacity", "opacity", [0, 1, 0.05], settings.opacity, setOpacity);
    addButton(view, "Reset camera", "reset", () => this.reset());
    this.playing = addCheckbox(view, "Camera path", "playing", false, (playing) => this.setPlaying(playing));
    const picture = addGroup("Picture");
    const render = () => this.stage.onMove();
    const outputs = { rgb: "rgb", depth: "depth", accumulation: "accumulation", normals: "normals" };
    addSelect(picture, "Output", "output", outputs, settings.output, setter("output", render));
    const sides = (list) => Object.fromEntries(list.map((side) => [side, `${side} pixels`]));
    const numberSetter = (name) => (value) => setter(name, render)(Number(value));
    addSelect(picture, "At rest", "rest", sides([96, 192, 256, 384, 512, 768, 1024]), settings.rest, numberSetter("rest"));
    picture.append(element("p", "hint", "Drag to orbit, right-drag or two fingers to pan, scroll or pinch to zoom."));
  }
}
