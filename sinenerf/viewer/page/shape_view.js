// One shape: its surface, which arrives coarse and is then refined, and its appearance.
"use strict";

const CLAY = "#d8cbb4";
const COLOURS = ["#d98a4b", "#4b8fd9", "#5cb58a", "#c27bb0", "#d9c04b", "#77c3d9", "#9a8f86", "#e07070"];
const CUT = "#8d3b2b"; // inner side of the surface, visible where the clip plane opens it
const QUICK = 128; // cells a side of the first picture
const FLAT_BELOW = 20000; // faces; decimated meshes are shaded flat, since smooth shading would hide what was lost

const clamp = (x) => Math.max(-1, Math.min(1, x));
const ENDS = ["#2166ac", "#f2f0ea", "#b2182b"].map((c) => new THREE.Color(c));
/** 256 colours from blue, inside the original, through white to red, outside; linear, as vertex colours are. */
const SCALE = Array.from({ length: 256 }, (_, i) => {
  const t = i / 127.5;
  const [from, to] = t <= 1 ? [ENDS[0], ENDS[1]] : [ENDS[1], ENDS[2]];
  return from.clone().lerp(to, t <= 1 ? t : t - 1).toArray();
});

class ShapeView {
  constructor(asset, index) {
    this.asset = asset;
    this.colour = COLOURS[index % COLOURS.length];
    this.label = new Label(asset, this.colour);
    const standard = { color: CLAY, roughness: 0.65, metalness: 0, side: THREE.DoubleSide };
    this.material = new THREE.MeshStandardMaterial(standard);
    this.cut = new THREE.MeshBasicMaterial({ color: CUT, side: THREE.BackSide });
    this.group = new THREE.Group();
    this.shown = true;
    this.loads = 0;
  }

  /** Request the surface, and its distances if the colours need them. */
  async load(settings, quick) {
    const load = ++this.loads;
    const resolution = quick ? Math.min(QUICK, settings.resolution) : settings.resolution;
    const query = { asset: this.asset.id, resolution, level: settings.level, quick: quick ? 1 : 0 };
    this.label.setNote(quick ? "first picture …" : `refining to ${resolution}³ …`);
    try {
      const [header, arrays] = unpack(await request("/mesh", query, `mesh-${this.asset.id}`));
      if (load !== this.loads) return;
      this.setSurface(header, arrays);
      this.query = query;
      if (settings.colour === "distance") await this.loadDistances();
      const grid = LIVE ? ` · ${resolution}³` : "";
      this.label.setNote(this.asset.kind === "shape" ? `${header.faces.toLocaleString("en")} faces${grid}` : "");
    } catch (error) {
      this.showError(error);
    }
    stage.redraw();
  }

  showError(error) {
    if (!(error instanceof Superseded)) this.label.setNote(error.message, true);
  }

  async loadDistances() {
    if (this.asset.original) return;
    const [header, { distance }] = unpack(await request("/distances", this.query, `distances-${this.asset.id}`));
    if (distance.length !== this.geometry.getAttribute("position").count) return; // of an earlier surface
    this.distances = Float32Array.from(distance, (d) => (d / 32767) * header.largest);
    this.diagonal = header.diagonal;
    this.paintedRange = null;
  }

  async loadQuality() {
    try {
      const q = await requestJson("/quality", { asset: this.asset.id });
      const chamfer = q.chamfer_l1 === null ? "no surface" : `Chamfer ${(100 * q.chamfer_l1).toFixed(3)} %`;
      this.label.quality.textContent = `IoU ${q.iou.toFixed(4)} · ${chamfer}`;
      this.label.quality.title = "Chamfer-L1 distance in per cent of the original's diagonal";
    } catch (error) {
      this.label.quality.textContent = error.message;
    }
  }

  setSurface(header, { positions, faces }) {
    const { low, size, centre, scale } = header;
    const coordinates = Float32Array.from(positions, (p, i) => {
      const axis = i % 3;
      return (low[axis] + (size[axis] * p) / 65535 - centre[axis]) / scale;
    });
    const index = new Uint32Array(faces.length);
    for (let i = 0, vertex = 0; i < faces.length; i++) index[i] = vertex += faces[i];
    this.geometry?.dispose();
    this.geometry = new THREE.BufferGeometry();
    this.geometry.setAttribute("position", new THREE.BufferAttribute(coordinates, 3));
    this.geometry.setIndex(new THREE.BufferAttribute(index, 1));
    this.geometry.computeVertexNormals();
    this.distances = null;
    this.material.flatShading = this.asset.kind === "mesh" && header.faces < FLAT_BELOW;
    this.group.clear();
    this.group.add(new THREE.Mesh(this.geometry, this.material), new THREE.Mesh(this.geometry, this.cut));
    this.label.setCaption(header.caption);
  }

  /** Apply the settings to materials and colours. */
  applySettings(settings, planes, overlaid, isFirst) {
    const byDistance = settings.colour === "distance" && this.distances;
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

  /** Colour the vertices by distance, unless an earlier frame has done so with the same range. */
  paint(range) {
    if (this.paintedRange === range) return;
    this.paintedRange = range;
    const { geometry, distances } = this;
    if (!geometry.hasAttribute("color")) {
      geometry.setAttribute("color", new THREE.BufferAttribute(new Float32Array(3 * distances.length), 3));
    }
    const colours = geometry.getAttribute("color");
    distances.forEach((d, i) => colours.array.set(SCALE[Math.round(127.5 * (1 + clamp(d / range)))], 3 * i));
    colours.needsUpdate = true;
  }

  /** Free the graphics memory, and ignore responses that are still on their way. */
  dispose() {
    this.loads += 1;
    for (const resource of [this.geometry, this.material, this.cut]) resource?.dispose();
  }
}
