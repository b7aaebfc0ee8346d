// Shapes: surfaces that arrive coarse and are then refined, and all that can be done to their looks.
"use strict";

const CLAY = "#d8cbb4";
const COLOURS = ["#d98a4b", "#4b8fd9", "#5cb58a", "#c27bb0", "#d9c04b", "#77c3d9", "#9a8f86", "#e07070"];
const CUT = "#8d3b2b"; // what shows where the clip plane opens a shape
const QUICK = 128; // cells a side of the first picture

class ShapeView {
  constructor(item, index) {
    this.item = item;
    this.colour = COLOURS[index % COLOURS.length];
    this.label = new Label(item, this.colour);
    const standard = { color: CLAY, roughness: 0.65, metalness: 0, side: THREE.DoubleSide };
    this.material = new THREE.MeshStandardMaterial(standard);
    this.cut = new THREE.MeshBasicMaterial({ color: CUT, side: THREE.BackSide });
    this.group = new THREE.Group();
    this.shown = true;
    this.turn = 0;
  }

  /** Ask for the surface, and for its distances if they are wanted. */
  async load(settings, quick) {
    const turn = ++this.turn;
    const resolution = quick ? Math.min(QUICK, settings.resolution) : settings.resolution;
    const query = { item: this.item.id, resolution, level: settings.level, quick: quick ? 1 : 0 };
    this.setNote(quick ? "first picture …" : `refining to ${resolution}³ …`);
    try {
      const [header, arrays] = unpack(await ask("/mesh", query, `mesh-${this.item.id}`));
      if (turn !== this.turn) return;
      this.setSurface(header, arrays);
      this.query = query;
      if (settings.colour === "distance") await this.loadDistance();
      const grid = LIVE ? ` · ${resolution}³` : "";
      this.setNote(this.item.kind === "field" ? `${header.faces.toLocaleString("en")} faces${grid}` : "");
    } catch (error) {
      this.fail(error);
    }
    stage.redraw();
  }

  fail(error) {
    if (!(error instanceof Superseded)) this.setNote(error.message, true);
  }

  async loadDistance() {
    if (this.item.original) return;
    const [header, { distance }] = unpack(await ask("/distance", this.query, `distance-${this.item.id}`));
    if (distance.length !== this.geometry.getAttribute("position").count) return; // of a surface that has gone
    this.distance = Float32Array.from(distance, (d) => (d / 32767) * header.largest);
    this.diagonal = header.diagonal;
    this.painted = null;
  }

  async loadQuality() {
    try {
      const q = await askJson("/quality", { item: this.item.id });
      const chamfer = q.chamfer_l1 === null ? "no surface" : `Chamfer ${(100 * q.chamfer_l1).toFixed(3)} %`;
      this.label.quality.textContent = `IoU ${q.iou.toFixed(4)} · ${chamfer}`;
      this.label.quality.title = "Chamfer-L1 distance in per cent of the original's diagonal";
    } catch (error) {
      this.label.quality.textContent = error.message;
    }
  }

  setNote(text, isError) {
    this.label.setNote(text, isError);
  }

  setSurface(header, { positions, faces }) {
    const { low, size, centre, scale } = header;
    const place = Float32Array.from(positions, (p, i) => {
      const axis = i % 3;
      return (low[axis] + (size[axis] * p) / 65535 - centre[axis]) / scale;
    });
    const index = new Uint32Array(faces.length);
    for (let i = 0, at = 0; i < faces.length; i++) index[i] = at += faces[i];
    this.geometry?.dispose();
    this.geometry = new THREE.BufferGeometry();
    this.geometry.setAttribute("position", new THREE.BufferAttribute(place, 3));
    this.geometry.setIndex(new THREE.BufferAttribute(index, 1));
    this.geometry.computeVertexNormals();
    this.distance = null;
    // few faces are a decimated mesh's: smooth shading would hide what was lost
    this.material.flatShading = this.item.kind === "mesh" && header.faces < 20000;
    this.group.clear();
    this.group.add(new THREE.Mesh(this.geometry, this.material), new THREE.Mesh(this.geometry, this.cut));
    this.label.setFacts(header.facts);
  }

  /** Bring material and colours in line with the settings. */
  dress(settings, planes, overlaid, isFirst) {
    const byDistance = settings.colour === "distance" && this.distance;
    if (byDistance) this.paint(settings.range * this.diagonal);
    this.material.vertexColors = Boolean(byDistance);
    this.material.color.set(byDistance ? "#ffffff" : overlaid ? this.colour : CLAY);
    this.material.wireframe = settings.wireframe;
    this.material.opacity = overlaid && !isFirst ? settings.opacity : 1;
    this.material.transparent = this.material.opacity < 1;
    this.material.depthWrite = !this.material.transparent;
    this.material.side = planes.length && !settings.wireframe ? THREE.FrontSide : THREE.DoubleSide;
    this.material.clippingPlanes = this.cut.clippingPlanes = planes;
    this.cut.visible = planes.length > 0 && !settings.wireframe && !this.material.transparent;
    this.material.needsUpdate = true;
  }

  /** Colour the vertices, unless they have these colours from an earlier frame. */
  paint(reach) {
    if (this.painted === reach) return;
    this.painted = reach;
    const { geometry, distance } = this;
    if (!geometry.hasAttribute("color")) {
      geometry.setAttribute("color", new THREE.BufferAttribute(new Float32Array(3 * distance.length), 3));
    }
    const colours = geometry.getAttribute("color");
    distance.forEach((d, i) => colours.array.set(SCALE[Math.round(127.5 * (1 + clamp(d / reach)))], 3 * i));
    colours.needsUpdate = true;
  }

  /** Free what the graphics card holds; an answer that is still on its way comes too late. */
  dispose() {
    this.turn += 1;
    for (const owned of [this.geometry, this.material, this.cut]) owned?.dispose();
  }
}

const clamp = (x) => Math.max(-1, Math.min(1, x));
const ENDS = ["#2166ac", "#f2f0ea", "#b2182b"].map((c) => new THREE.Color(c));
/** 256 colours from blue, inside the original, over white to red, outside; linear, as vertex colours are. */
const SCALE = Array.from({ length: 256 }, (_, i) => {
  const t = i / 127.5;
  const [from, to] = t <= 1 ? [ENDS[0], ENDS[1]] : [ENDS[1], ENDS[2]];
  return from.clone().lerp(to, t <= 1 ? t : t - 1).toArray();
});

class ShapesPage {
  constructor(state) {
    this.state = state;
    this.settings = {
      layout: "side", resolution: 256, level: 0.5, colour: "plain", range: 0.005, wireframe: false, opacity: 0.5,
      axis: "off", clip: 0, flip: false, turn: 35, height: 35, strength: 1, up: state.up,
    };
    this.views = [];
    this.scene = new THREE.Scene();
    this.root = this.scene.add(new THREE.Group()).children[0];
    this.renderer = new THREE.WebGLRenderer({ canvas: stage.canvas, antialias: true });
    this.renderer.localClippingEnabled = true;
    this.renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    this.ambient = new THREE.HemisphereLight("#ffffff", "#a39787", 1.1);
    this.light = new THREE.DirectionalLight("#ffffff", 2.2);
    this.camera = stage.camera;
    this.camera.add(this.light, this.light.target); // the light stays where it is on the screen
    this.scene.add(this.ambient, this.camera);
    this.build();
    this.controls = [...panel.children];
    this.setUp();
  }

  /** Take stage and panel over from another page. */
  enter() {
    stage.canvas.hidden = false;
    stage.draw = () => this.draw();
    stage.onMove = () => {};
    panel.replaceChildren(...this.controls);
    stage.place(new THREE.Vector3(1, 0.7, 3.3), new THREE.Vector3(), new THREE.Vector3(0, 1, 0));
  }

  /** Show these items in place of what was there. */
  show(items) {
    for (const view of this.views) {
      this.root.remove(view.group);
      view.dispose();
    }
    this.views = items.map((item, index) => new ShapeView(item, index));
    for (const view of this.views) this.root.add(view.group);
    this.listItems();
    this.arrange();
    this.refresh();
  }

  arrange() {
    const overlaid = this.settings.layout === "overlaid";
    const labels = this.views.map((view) => ({ view, label: view.label.element }));
    stage.arrange(overlaid ? [labels] : labels.map((label) => [label]));
    stage.holder.classList.toggle("overlaid", overlaid);
    this.overlay.hidden = this.views.length < 2 || !overlaid;
    stage.redraw();
  }

  /** First pictures of all, then all of them finer; a later call takes over. */
  async refresh() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const fields = this.views.filter((view) => view.item.kind === "field" || !view.geometry);
    await Promise.all(fields.map((view) => view.load(this.settings, true)));
    if (LIVE) {
      for (const view of fields.filter((v) => v.item.kind === "field")) {
        if (turn === this.turn) await view.load(this.settings, false);
      }
    }
    if (turn === this.turn) await this.loadQuality();
  }

  async loadQuality() {
    if (!this.state.original) return;
    for (const view of this.views) if (!view.item.original && view.geometry) await view.loadQuality();
  }

  async recolour() {
    this.legend.hidden = this.settings.colour !== "distance";
    if (this.settings.colour === "distance") {
      for (const view of this.views) {
        if (view.geometry && !view.distance) await view.loadDistance().catch((error) => view.fail(error));
      }
      this.setLegend();
    }
    stage.redraw();
  }

  planes() {
    const { axis, clip, flip } = this.settings;
    if (axis === "off") return [];
    const normal = new THREE.Vector3().setComponent("xyz".indexOf(axis), flip ? 1 : -1);
    return [new THREE.Plane(normal, flip ? -clip : clip).applyMatrix4(this.root.matrixWorld)];
  }

  setUp() {
    const sign = this.settings.up.startsWith("-") ? -1 : 1;
    const axis = new THREE.Vector3().setComponent("xyz".indexOf(this.settings.up.at(-1)), sign);
    this.root.quaternion.setFromUnitVectors(axis, new THREE.Vector3(0, 1, 0));
    this.root.updateMatrixWorld();
    stage.redraw();
  }

  setLight() {
    const { turn, height, strength } = this.settings;
    const [a, h] = [(turn * Math.PI) / 180, (height * Math.PI) / 180];
    this.light.position.set(Math.sin(a) * Math.cos(h), Math.sin(h), Math.cos(a) * Math.cos(h)).multiplyScalar(5);
    this.light.intensity = 2.2 * strength;
    this.ambient.intensity = 1.1 * strength;
  }

  draw() {
    const box = stage.canvas.parentElement.getBoundingClientRect();
    if (!box.width) return;
    if (this.size !== `${box.width} ${box.height}`) this.renderer.setSize(box.width, box.height, false);
    this.size = `${box.width} ${box.height}`;
    const overlaid = this.settings.layout === "overlaid";
    const planes = this.planes();
    this.setLight();
    this.views.forEach((view, index) => view.dress(this.settings, planes, overlaid, index === 0));
    this.renderer.setScissorTest(true);
    for (const { element, views } of stage.panes) {
      const pane = element.getBoundingClientRect();
      const aspect = pane.width / pane.height;
      const tan = Math.tan((BASE_FOV * Math.PI) / 360) / Math.min(1, aspect);
      Object.assign(this.camera, { aspect, fov: (Math.atan(tan) * 360) / Math.PI });
      this.camera.updateProjectionMatrix();
      const drawn = views.map((entry) => entry.view);
      for (const view of this.views) view.group.visible = drawn.includes(view) && (view.shown || !overlaid);
      const area = [pane.left - box.left, box.bottom - pane.bottom, pane.width, pane.height];
      this.renderer.setViewport(...area);
      this.renderer.setScissor(...area);
      this.renderer.setClearColor("#f4f2ee");
      this.renderer.render(this.scene, this.camera);
    }
    document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
  }

  build() {
    const set = (name, then = () => stage.redraw()) => (value) => {
      this.settings[name] = value;
      then();
    };
    const s = this.settings;
    panel.replaceChildren();
    const view = group("View");
    choice(view, "Layout", "layout", { side: "side by side", overlaid: "overlaid" }, s.layout, set("layout", () => this.arrange()));
    this.overlay = view.appendChild(make("div"));
    this.items = this.overlay.appendChild(make("div"));
    slider(this.overlay, "Opacity", "opacity", [0.1, 1, 0.05], s.opacity, set("opacity"));
    const ups = Object.fromEntries(this.state.ups.map((up) => [up, up]));
    choice(view, "Up", "up", ups, s.up, set("up", () => this.setUp()));
    press(view, "Reset camera", "reset", () => stage.reset());
    const surface = group("Surface");
    if (LIVE) {
      const again = settled(() => this.refresh());
      const cells = { 64: "64³", 128: "128³", 256: "256³", 512: "512³" };
      choice(surface, "Grid", "resolution", cells, s.resolution, (v) => set("resolution", again)(Number(v)));
      slider(surface, "Level", "level", [0.02, 0.98, 0.02], s.level, set("level", again), (v) => v.toFixed(2));
    } else surface.append(make("p", "hint", "Another grid or level: sinenerf view FILE"));
    const colours = this.state.original ? { plain: "plain", distance: "distance" } : { plain: "plain" };
    choice(surface, "Colour", "colour", colours, s.colour, set("colour", () => this.recolour()));
    this.legend = surface.appendChild(make("div", "legend"));
    this.legend.hidden = true;
    slider(this.legend, "Range", "range", [0.0005, 0.02, 0.0005], s.range, set("range", () => this.setLegend()), (v) => `${(100 * v).toFixed(2)} %`);
    this.scale = this.legend.appendChild(make("div", "scale"));
    this.ends = this.legend.appendChild(make("div", "ends"));
    tick(surface, "Wireframe", "wireframe", s.wireframe, set("wireframe"));
    const clip = group("Clip");
    choice(clip, "Across", "axis", { off: "off", x: "x", y: "y", z: "z" }, s.axis, set("axis"));
    slider(clip, "At", "clip", [-1, 1, 0.01], s.clip, set("clip"), (v) => v.toFixed(2));
    tick(clip, "Other side", "flip", s.flip, set("flip"));
    const light = group("Light");
    slider(light, "Turn", "turn", [-90, 90, 1], s.turn, set("turn"), (v) => `${v}°`);
    slider(light, "Height", "height", [-80, 80, 1], s.height, set("height"), (v) => `${v}°`);
    slider(light, "Strength", "strength", [0.2, 2, 0.05], s.strength, set("strength"), (v) => v.toFixed(2));
  }

  listItems() {
    this.items.replaceChildren();
    for (const view of this.views) {
      const change = (shown) => {
        view.shown = shown;
        stage.redraw();
      };
      tick(this.items, view.item.name, `show-${view.item.id}`, view.shown, change);
    }
  }

  setLegend() {
    const diagonal = this.views.find((view) => view.diagonal)?.diagonal;
    if (!diagonal) return;
    const reach = this.settings.range * diagonal;
    const unit = (v) => (v === 0 ? "0" : Number(v.toPrecision(2)).toString());
    this.ends.replaceChildren(...[-reach, 0, reach].map((v) => make("span", "", unit(v))));
    this.ends.title = "in the unit of the original mesh; the range in per cent of its diagonal";
    this.scale.dataset.low = "inside";
    this.scale.dataset.high = "outside";
    stage.redraw();
  }
}
