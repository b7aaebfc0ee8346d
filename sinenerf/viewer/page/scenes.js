// Scenes: pictures that the server renders from this page's camera, coarse while it moves and finer once it rests.
"use strict";

class SceneView {
  constructor(item, page) {
    this.item = item;
    this.page = page;
    this.label = new Label(item);
    this.canvas = make("canvas", "picture");
    this.shown = true;
  }

  async load() {
    try {
      Object.assign(this, await askJson("/scene", { item: this.item.id }));
      this.label.setFacts(this.facts);
      this.label.setNote("");
    } catch (error) {
      this.label.setNote(error.message, true);
    }
  }

  /** Half of the vertical field of view that fills the pane with what was photographed. */
  tangent(aspect) {
    return aspect > this.aspect ? (this.tan * this.aspect) / aspect : this.tan;
  }

  /** The camera moved: give up what is being rendered and begin again, coarse. */
  moved() {
    this.abort?.abort();
    this.side = this.page.settings.moving;
    if (this.pose) this.render();
  }

  /** Render and, while nothing changes, render again with twice the pixels up to what is wanted at rest. */
  async render() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    await new Promise(requestAnimationFrame); // many moves make one picture
    while (turn === this.turn) {
      const { clientWidth: w, clientHeight: h } = this.canvas;
      if (!w || !h) return;
      const scale = this.side / Math.max(w, h);
      const [width, height] = [w, h].map((side) => Math.max(1, Math.round(side * scale)));
      stage.camera.updateMatrixWorld(); // three.js only does it when it draws
      const pose = stage.camera.matrixWorld.elements; // by columns
      const rows = [0, 1, 2].flatMap((row) => [0, 1, 2, 3].map((column) => pose[4 * column + row]));
      const query = { item: this.item.id, pose: rows.join(), tan: this.tangent(w / h), width, height, what: this.page.settings.what };
      try {
        this.abort = new AbortController();
        const buffer = await ask("/picture", query, `picture-${this.item.id}`, this.abort.signal);
        if (turn !== this.turn) return;
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

  async paint(blob) {
    const picture = await createImageBitmap(blob);
    Object.assign(this.canvas, { width: picture.width, height: picture.height });
    this.canvas.getContext("2d").drawImage(picture, 0, 0);
    this.canvas.dataset.side = String(Math.max(picture.width, picture.height));
  }
}

/** In an exported page: a film along a closed path, turned by dragging. */
class FilmView extends SceneView {
  async load() {
    await super.load();
    this.frames = await askJson("/flythrough", { item: this.item.id });
    this.label.setNote("drag to move along the path");
    await this.step(0);
  }

  moved() {}

  async step(at) {
    const count = this.frames.length;
    const data = this.frames[((Math.round(at) % count) + count) % count];
    await this.paint(await (await fetch(data)).blob());
  }
}

class ScenesPage {
  constructor(state) {
    this.state = state;
    this.settings = { layout: "side", what: "rgb", moving: 96, rest: 384, opacity: 0.5 };
    this.views = [];
    this.build();
    this.controls = [...panel.children];
  }

  /** Take stage and panel over from another page. */
  enter() {
    stage.canvas.hidden = true;
    stage.draw = () => {
      document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
    };
    panel.replaceChildren(...this.controls);
  }

  async show(items) {
    const views = (this.views = items.map((item) => new (LIVE ? SceneView : FilmView)(item, this)));
    const isGone = () => page !== this || views !== this.views; // something else is shown by now
    this.arrange();
    await views[0].load();
    if (isGone()) return;
    this.takeCamera(views[0]);
    await Promise.all(views.slice(1).map((view) => view.load()));
    if (isGone()) return;
    if (!LIVE) this.dragFilms();
    stage.onMove = () => this.views.forEach((view) => view.moved());
    stage.onMove();
  }

  takeCamera({ pose, target }) {
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
    stage.holder.classList.toggle("overlaid", overlaid);
    for (const { element, views } of stage.panes) element.prepend(...views.map((entry) => entry.view.canvas));
    this.overlay.hidden = !overlaid || this.views.length < 2;
    this.listItems();
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
    let at = 0;
    stage.holder.addEventListener("pointermove", (event) => {
      if (!(event.buttons & 1)) return;
      at += event.movementX / 12;
      for (const view of this.views) view.step(at);
    });
  }

  listItems() {
    this.items.replaceChildren();
    for (const view of this.views) {
      const change = (shown) => {
        view.shown = shown;
        this.setOpacity();
      };
      tick(this.items, view.item.name, `show-${view.item.id}`, view.shown, change);
    }
  }

  build() {
    const set = (name, then) => (value) => {
      this.settings[name] = value;
      then();
    };
    const s = this.settings;
    const again = () => stage.onMove();
    panel.replaceChildren();
    const view = group("View");
    choice(view, "Layout", "layout", { side: "side by side", overlaid: "overlaid" }, s.layout, set("layout", () => this.arrange()));
    this.overlay = view.appendChild(make("div"));
    this.items = this.overlay.appendChild(make("div"));
    slider(this.overlay, "Opacity", "opacity", [0, 1, 0.05], s.opacity, set("opacity", () => this.setOpacity()));
    if (!LIVE) {
      view.append(make("p", "hint", "A film made beforehand. Free cameras, depth and normals: sinenerf view FILE"));
      return;
    }
    press(view, "Reset camera", "reset", () => stage.reset());
    const picture = group("Picture");
    const whats = { rgb: "rgb", depth: "depth", accumulation: "accumulation", normals: "normals" };
    choice(picture, "Shows", "what", whats, s.what, set("what", again));
    const number = (name) => (value) => set(name, again)(Number(value));
    const sides = (list) => Object.fromEntries(list.map((side) => [side, `${side} pixels`]));
    choice(picture, "While moving", "moving", sides([48, 64, 96, 128, 192, 256]), s.moving, number("moving"));
    choice(picture, "At rest", "rest", sides([96, 192, 256, 384, 512, 768, 1024]), s.rest, number("rest"));
    picture.append(make("p", "hint", "Drag turns, right-drag shifts, the wheel goes nearer."));
  }
}
