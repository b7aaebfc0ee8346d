/** One shape: its surface, which is found coarse and then refined, and its appearance. */

import { BackSide, BufferAttribute, BufferGeometry, Color, DoubleSide, FrontSide, Group, Mesh, MeshBasicMaterial, MeshStandardMaterial, Plane, Vector3 } from "three";

import { decode } from "../decoder/index.js";
import { messageOf } from "../element/messages.js";
import { CLAY } from "../element/stage.js";
import { findSurface } from "../element/surface_worker.js";
import { turnUp } from "../element/up_axis.js";
import { vertexNormals } from "../field/vertex_normals.js";
import { captionOf } from "./caption.js";
import { request, requestJson, unpackMesh } from "./requests.js";
import { OWN } from "./shapes_panel.js";
import { Label } from "./stage.js";

const COLOURS = ["#d98a4b", "#4b8fd9", "#5cb58a", "#c27bb0", "#d9c04b", "#77c3d9", "#9a8f86", "#e07070"];
const CUT = "#8d3b2b"; // inner side of the surface, visible where the clip plane opens it
const FLAT_BELOW = 20000; // faces; decimated meshes are shaded flat, since smooth shading would hide what was lost

/** An sRGB byte as light, as vertex colours are. @param {number} byte */
const toLinear = (byte) => (byte <= 10 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
/** @param {number} x */
const clamp = (x) => Math.max(-1, Math.min(1, x));
const ENDS = ["#2166ac", "#f2f0ea", "#b2182b"].map((c) => new Color(c));
/** 256 colours from blue, inside the original, through white to red, outside; linear, as vertex colours are. */
const SCALE = Array.from({ length: 256 }, (_, i) => {
  const t = i / 127.5;
  const [from, to] = t <= 1 ? [ENDS[0], ENDS[1]] : [ENDS[1], ENDS[2]];
  return from.clone().lerp(to, t <= 1 ? t : t - 1).toArray();
});

/** The cube around a shape, and its up axis. @typedef {{ centre: number[], scale: number, up: string }} Placement */
/** @typedef {import("./shapes_page.js").Settings} Settings */

export class ShapePane {
  /** The .sine file. @type {Uint8Array | undefined} */
  #file;
  /** @type {Worker | undefined} */
  #worker;
  #loads = 0;
  /** The range of the colours that the geometry has. @type {number | null} */
  #paintedRange = null;
  /** @type {BufferAttribute | undefined} */
  #ownColours;
  /** @type {Placement | undefined} */
  placement;
  /** In the cube: far from the origin, float32 would round the shape's own coordinates. @type {BufferGeometry | undefined} */
  geometry;
  /** Of its vertices from the original. @type {number[] | null} */
  distances = null;
  /** Of the original. */
  diagonal = 0;
  group = new Group();
  shown = true;

  /** @param {import("./requests.js").Asset} asset @param {number} index @param {import("./shapes_page.js").ShapesPage} page */
  constructor(asset, index, page) {
    this.asset = asset;
    this.page = page;
    this.colour = COLOURS[index % COLOURS.length];
    this.label = new Label(asset, this.colour);
    this.material = new MeshStandardMaterial({ color: CLAY, roughness: 0.65, metalness: 0, side: DoubleSide });
    this.cut = new MeshBasicMaterial({ color: CUT, side: BackSide });
  }

  /** Read the file, then find the surface with these settings, coarse first. Ends with the finest. @param {Settings} settings */
  async load(settings) {
    const load = ++this.#loads;
    this.#worker?.terminate();
    try {
      if (this.asset.kind === "mesh") await this.loadMesh();
      else await this.findSurface(settings, load);
      if (settings.colour === "distance" && !this.distances) await this.loadDistances();
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
    this.setSurface(positions, indices, vertexNormals({ positions, indices }));
    if (colours) this.#ownColours = new BufferAttribute(Float32Array.from(colours, toLinear), 3);
  }

  /** @param {Settings} settings @param {number} load */
  async findSurface({ level, resolution }, load) {
    this.label.setNote("finding the surface …");
    const data = (this.#file ??= await this.#fetchFile());
    if (load !== this.#loads) return;
    await /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
      /** @param {import("../element/shape_worker.js").Reply} reply */
      const receive = ({ positions, indices, normals, cells, isLast }) => {
        this.setSurface(positions, indices, normals);
        const faces = (indices.length / 3).toLocaleString("en");
        this.label.setNote(`${faces} faces · ${cells}³${isLast ? "" : ", refining …"}`);
        this.page.stage.redraw();
        if (isLast) resolve();
      };
      this.#worker = findSurface({ data, level, cells: resolution }, receive, (message) => reject(new Error(message)));
    }));
  }

  async #fetchFile() {
    const data = new Uint8Array(await request("/file", { asset: this.asset.id }));
    const file = decode(data);
    if (file.kind !== "occupancy") throw new Error("The file holds no shape");
    this.placement = file.placement;
    this.label.setCaption(captionOf(file, data.length));
    return data;
  }

  /** @param {unknown} error */
  showError(error) {
    this.label.setNote(messageOf(error), true);
  }

  async loadDistances() {
    const { geometry } = this;
    if (this.asset.original || !geometry) return;
    const positions = /** @type {Float32Array<ArrayBuffer>} */ (geometry.getAttribute("position").array);
    try {
      const [diagonal, ...distances] = new Float32Array(await request("/distances", { asset: this.asset.id }, positions));
      if (geometry !== this.geometry) return; // of an earlier surface
      Object.assign(this, { diagonal, distances });
      this.#paintedRange = null;
      this.page.panel.updateLegend();
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
      this.label.quality.textContent = messageOf(error);
    }
  }

  /** @param {Float32Array} positions in the cube @param {Uint32Array} indices @param {Float32Array} normals */
  setSurface(positions, indices, normals) {
    this.geometry?.dispose();
    this.geometry = new BufferGeometry();
    this.geometry.setAttribute("position", new BufferAttribute(positions, 3));
    this.geometry.setIndex(new BufferAttribute(indices, 1));
    this.geometry.setAttribute("normal", new BufferAttribute(normals, 3));
    this.distances = null;
    this.material.flatShading = this.asset.kind === "mesh" && indices.length / 3 < FLAT_BELOW;
    this.group.clear();
    this.group.add(new Mesh(this.geometry, this.material), new Mesh(this.geometry, this.cut));
  }

  /** Apply the settings to materials and colours, and place the shape beside or over the others. @param {Settings} settings @param {boolean} overlaid @param {boolean} isFirst */
  applySettings(settings, overlaid, isFirst) {
    this.place(settings.up);
    const planes = this.clippingPlanes(settings);
    const byDistance = settings.colour === "distance" && this.distances;
    if (byDistance) this.paint(settings.range * this.diagonal);
    const own = byDistance || overlaid ? undefined : this.#ownColours;
    if (own) {
      this.geometry?.setAttribute("color", own);
      this.#paintedRange = null;
    }
    const coloured = Boolean(byDistance || own);
    this.material.vertexColors = coloured;
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

  /** Show the shape upright in the reference's cube if both lie in the same place, else in its own. @param {string} up */
  place(up) {
    if (!this.placement) return;
    const frame = displayFrame(this.placement, this.page.frame ?? this.placement);
    const { centre, scale } = this.placement;
    turnUp(this.group, up === OWN ? frame.up : up);
    this.group.scale.setScalar(scale / frame.scale);
    const offset = centre.map((x, axis) => (x - frame.centre[axis]) / frame.scale);
    this.group.position.fromArray(offset).applyQuaternion(this.group.quaternion);
  }

  /** The clip plane, which turns with the shape. @param {Settings} settings */
  clippingPlanes({ axis, clip, flip }) {
    if (axis === "off") return [];
    const normal = new Vector3().setComponent("xyz".indexOf(axis), flip ? 1 : -1).applyQuaternion(this.group.quaternion);
    return [new Plane(normal, flip ? -clip : clip)];
  }

  /** Colour the vertices by distance, unless an earlier frame has done so with the same range. @param {number} range */
  paint(range) {
    const { geometry, distances } = this;
    if (this.#paintedRange === range || !geometry || !distances) return;
    this.#paintedRange = range;
    if (!geometry.hasAttribute("color") || geometry.getAttribute("color") === this.#ownColours) {
      geometry.setAttribute("color", new BufferAttribute(new Float32Array(3 * distances.length), 3));
    }
    const colours = /** @type {BufferAttribute} */ (geometry.getAttribute("color"));
    distances.forEach((d, i) => colours.array.set(SCALE[Math.round(127.5 * (1 + clamp(d / range)))], 3 * i));
    colours.needsUpdate = true;
  }

  /** Free the graphics memory, and ignore responses that are still on their way. */
  dispose() {
    this.#loads += 1;
    this.#worker?.terminate();
    for (const resource of [this.geometry, this.material, this.cut]) resource?.dispose();
  }
}

/** Boxes of a field, its original and a Draco mesh of it differ by rounding, and must not be aligned separately. @param {Placement} own @param {Placement} reference */
function displayFrame(own, reference) {
  const offset = Math.max(...own.centre.map((x, axis) => Math.abs(x - reference.centre[axis])));
  const ratio = own.scale / reference.scale;
  return offset < 0.25 * reference.scale && ratio > 0.8 && ratio < 1.25 ? reference : own;
}
