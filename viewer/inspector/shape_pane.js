// One shape: its surface, which is found coarse and then refined, and its appearance.

import { BackSide, BufferAttribute, BufferGeometry, Color, DoubleSide, FrontSide, Group, Mesh, MeshBasicMaterial, MeshStandardMaterial, Plane, Vector3 } from "three";
import workerSource from "worker:../element/shape_worker.js";

import { decode } from "../decoder/index.js";
import { turnUp } from "../element/up_axis.js";
import { startWorker } from "../element/workers.js";
import { captionOf } from "./caption.js";
import { request, requestJson, unpackMesh } from "./requests.js";
import { OWN } from "./shapes_panel.js";
import { Label } from "./stage.js";

const CLAY = "#d8cbb4";
const COLOURS = ["#d98a4b", "#4b8fd9", "#5cb58a", "#c27bb0", "#d9c04b", "#77c3d9", "#9a8f86", "#e07070"];
const CUT = "#8d3b2b"; // inner side of the surface, visible where the clip plane opens it
const FLAT_BELOW = 20000; // faces; decimated meshes are shaded flat, since smooth shading would hide what was lost

/** An sRGB byte as light, as vertex colours are. @param {number} byte */
const toLinear = (byte) => (byte <= 10 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
const clamp = (x) => Math.max(-1, Math.min(1, x));
const ENDS = ["#2166ac", "#f2f0ea", "#b2182b"].map((c) => new Color(c));
/** 256 colours from blue, inside the original, through white to red, outside; linear, as vertex colours are. */
const SCALE = Array.from({ length: 256 }, (_, i) => {
  const t = i / 127.5;
  const [from, to] = t <= 1 ? [ENDS[0], ENDS[1]] : [ENDS[1], ENDS[2]];
  return from.clone().lerp(to, t <= 1 ? t : t - 1).toArray();
});

export class ShapePane {
  constructor(asset, index, page) {
    this.asset = asset;
    this.page = page;
    this.colour = COLOURS[index % COLOURS.length];
    this.label = new Label(asset, this.colour);
    const standard = { color: CLAY, roughness: 0.65, metalness: 0, side: DoubleSide };
    this.material = new MeshStandardMaterial(standard);
    this.cut = new MeshBasicMaterial({ color: CUT, side: BackSide });
    this.group = new Group();
    this.shown = true;
    this.loads = 0;
  }

  /** Read the file, then find the surface with these settings, coarse first. Ends with the finest. */
  async load(settings) {
    const load = ++this.loads;
    this.worker?.terminate();
    try {
      if (this.asset.kind === "mesh") await this.loadMesh();
      else await this.findSurface(settings, load);
    } catch (error) {
      this.showError(error);
    }
    this.page.stage.redraw();
  }

  async loadMesh() {
    if (this.geometry) return;
    const { header, positions, indices, colours } = unpackMesh(await request("/mesh", { asset: this.asset.id }));
    this.placement = { centre: header.centre, scale: header.scale, up: header.up };
    this.label.setCaption(header.caption);
    this.label.setNote("");
    this.setSurface(positions, indices);
    if (colours) this.ownColours = new BufferAttribute(Float32Array.from(colours, toLinear), 3);
  }

  async findSurface({ level, resolution }, load) {
    this.label.setNote("finding the surface …");
    if (!this.file) {
      this.file = new Uint8Array(await request("/file", { asset: this.asset.id }));
      const decoded = decode(this.file);
      this.placement = decoded.placement;
      this.label.setCaption(captionOf(decoded, this.file.length));
    }
    if (load !== this.loads) return;
    await new Promise((resolve, reject) => {
      const receive = (reply) => {
        const { positions, indices, cells, isLast, centre, scale } = reply;
        this.setSurface(positions.map((x, i) => x * scale + centre[i % 3]), indices);
        const faces = (indices.length / 3).toLocaleString("en");
        this.label.setNote(`${faces} faces · ${cells}³${isLast ? "" : ", refining …"}`);
        this.page.stage.redraw();
        if (isLast) resolve();
      };
      this.worker = startWorker(workerSource, receive, (message) => reject(new Error(message)));
      this.worker.postMessage({ data: this.file, level, cells: resolution });
    });
    if (this.page.settings.colour === "distance") await this.loadDistances();
  }

  showError(error) {
    this.label.setNote(error.message, true);
  }

  async loadDistances() {
    if (this.asset.original) return;
    const { vertices } = this;
    try {
      const [diagonal, ...distances] = new Float32Array(await request("/distances", {}, vertices));
      if (vertices !== this.vertices) return; // of an earlier surface
      Object.assign(this, { diagonal, distances, paintedRange: null });
    } catch (error) {
      this.showError(error);
    }
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

  /** @param {Float32Array} vertices in the shape's own coordinates @param {Uint32Array} indices */
  setSurface(vertices, indices) {
    const { centre, scale } = this.placement;
    this.vertices = vertices;
    this.geometry?.dispose();
    this.geometry = new BufferGeometry();
    this.geometry.setAttribute("position", new BufferAttribute(vertices.map((x, i) => (x - centre[i % 3]) / scale), 3));
    this.geometry.setIndex(new BufferAttribute(indices, 1));
    this.geometry.computeVertexNormals();
    this.distances = null;
    this.material.flatShading = this.asset.kind === "mesh" && indices.length / 3 < FLAT_BELOW;
    this.group.clear();
    this.group.add(new Mesh(this.geometry, this.material), new Mesh(this.geometry, this.cut));
  }

  /** Apply the settings to materials and colours, and place the shape beside or over the others. */
  applySettings(settings, overlaid, isFirst) {
    this.place(this.page.frame ?? this.placement, settings.up);
    const planes = this.clippingPlanes(settings);
    const byDistance = settings.colour === "distance" && this.distances;
    if (byDistance) this.paint(settings.range * this.diagonal);
    const coloured = byDistance || (this.ownColours && !overlaid);
    if (!byDistance && coloured) {
      this.geometry.setAttribute("color", this.ownColours);
      this.paintedRange = null;
    }
    this.material.vertexColors = Boolean(coloured);
    this.material.color.set(coloured ? "#ffffff" : overlaid ? this.colour : CLAY);
    this.material.wireframe = settings.wireframe;
    this.material.opacity = overlaid && !isFirst ? settings.opacity : 1;
    this.material.transparent = this.material.opacity < 1;
    this.material.depthWrite = !this.material.transparent;
    this.material.side = planes.length && !settings.wireframe ? FrontSide : DoubleSide;
    this.material.clippingPlanes = this.cut.clippingPlanes = planes;
    this.cut.visible = planes.length > 0 && !settings.wireframe && !this.material.transparent;
    this.material.needsUpdate = true;
  }

  /** Show the shape upright in the reference's cube if both lie in the same place, else in its own. */
  place(reference, up) {
    if (!this.placement) return;
    const frame = displayFrame(this.placement, reference);
    const { centre, scale } = this.placement;
    turnUp(this.group, up === OWN ? frame.up : up);
    this.group.scale.setScalar(scale / frame.scale);
    const offset = centre.map((x, axis) => (x - frame.centre[axis]) / frame.scale);
    this.group.position.set(...offset).applyQuaternion(this.group.quaternion);
  }

  /** The clip plane, which turns with the shape. */
  clippingPlanes({ axis, clip, flip }) {
    if (axis === "off") return [];
    const normal = new Vector3().setComponent("xyz".indexOf(axis), flip ? 1 : -1).applyQuaternion(this.group.quaternion);
    return [new Plane(normal, flip ? -clip : clip)];
  }

  /** Colour the vertices by distance, unless an earlier frame has done so with the same range. */
  paint(range) {
    if (this.paintedRange === range) return;
    this.paintedRange = range;
    const { geometry, distances } = this;
    if (!geometry.hasAttribute("color") || geometry.getAttribute("color") === this.ownColours) {
      geometry.setAttribute("color", new BufferAttribute(new Float32Array(3 * distances.length), 3));
    }
    const colours = geometry.getAttribute("color");
    distances.forEach((d, i) => colours.array.set(SCALE[Math.round(127.5 * (1 + clamp(d / range)))], 3 * i));
    colours.needsUpdate = true;
  }

  /** Free the graphics memory, and ignore responses that are still on their way. */
  dispose() {
    this.loads += 1;
    this.worker?.terminate();
    for (const resource of [this.geometry, this.material, this.cut]) resource?.dispose();
  }
}

/** Boxes of a field, its original and a Draco mesh of it differ by rounding, and must not be aligned separately. */
function displayFrame(own, reference) {
  const offset = Math.max(...own.centre.map((x, axis) => Math.abs(x - reference.centre[axis])));
  const ratio = own.scale / reference.scale;
  return offset < 0.25 * reference.scale && ratio > 0.8 && ratio < 1.25 ? reference : own;
}
