// The page for scenes: panes with one camera, overlays, and the controls.
"use strict";

class ScenesPage {
  constructor(state) {
    this.state = state;
    this.settings = { layout: "side", output: "rgb", moving: 96, rest: 384, opacity: 0.5 };
    this.views = [];
    this.addControls();
    this.controls = [...panel.children];
  }

  /** Take over the stage and the panel from another page. */
  enter() {
    stage.canvas.hidden = true;
    stage.draw = countDrawing;
    panel.replaceChildren(...this.controls);
  }

  async show(assets) {
    const views = (this.views = assets.map((asset) => new (LIVE ? SceneView : FilmView)(asset, this)));
    const isOutdated = () => page !== this || views !== this.views; // something else has been opened since
    this.arrange();
    await views[0].load();
    if (isOutdated()) return;
    this.placeCamera(views[0]);
    await Promise.all(views.slice(1).map((view) => view.load()));
    if (isOutdated()) return;
    if (!LIVE) this.dragFilms();
    stage.onMove = () => this.views.forEach((view) => view.moved());
    stage.onMove();
  }

  /** Move the camera to a scene's initial view. */
  placeCamera({ pose, target }) {
    if (!pose) return;
    const column = (c) => new THREE.Vector3(pose[c], pose[4 + c], pose[8 + c]);
    stage.onMove = () => {};
    stage.place(column(3), new THREE.Vector3(...target), column(1));
    stage.controls.enabled = LIVE;
    stage.controls.rotateSpeed = 0.4;
  }

  arrange() {
    const overlaid = this.settings.layout === "overlaid";
    const entries = this.views.map((view) => ({ view, label: view.label.element }));
    stage.arrange(overlaid ? [entries] : entries.map((entry) => [entry]));
    stage.container.classList.toggle("overlaid", overlaid);
    for (const pane of stage.panes) pane.element.prepend(...pane.entries.map((entry) => entry.view.canvas));
    this.overlay.hidden = !overlaid || this.views.length < 2;
    listViews(this.viewList, this.views, () => this.setOpacity());
    this.setOpacity();
    stage.onMove();
  }

  setOpacity() {
    const overlaid = this.settings.layout === "overlaid";
    this.views.forEach((view, index) => {
      view.canvas.style.opacity = overlaid && index > 0 ? this.settings.opacity : 1;
      view.canvas.style.visibility = overlaid && !view.shown ? "hidden" : "visible";
    });
  }

  dragFilms() {
    let position = 0;
    stage.container.addEventListener("pointermove", (event) => {
      if (!(event.buttons & 1)) return;
      position += event.movementX / 12;
      for (const view of this.views) view.showFrame(position);
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
    if (!LIVE) {
      view.append(element("p", "hint", "A film rendered in advance. For a free camera, depth and normals: sinenerf view FILE"));
      return;
    }
    addButton(view, "Reset camera", "reset", () => stage.reset());
    const picture = addGroup("Picture");
    const render = () => stage.onMove();
    const outputs = { rgb: "rgb", depth: "depth", accumulation: "accumulation", normals: "normals" };
    addSelect(picture, "Output", "output", outputs, settings.output, setter("output", render));
    const sides = (list) => Object.fromEntries(list.map((side) => [side, `${side} pixels`]));
    const numberSetter = (name) => (value) => setter(name, render)(Number(value));
    addSelect(picture, "While moving", "moving", sides([48, 64, 96, 128, 192, 256]), settings.moving, numberSetter("moving"));
    addSelect(picture, "At rest", "rest", sides([96, 192, 256, 384, 512, 768, 1024]), settings.rest, numberSetter("rest"));
    picture.append(element("p", "hint", "Drag to orbit, right-drag to pan, scroll to zoom."));
  }
}
