/** A shape inside <sine-view>: a worker finds its surface, coarse first, and the stage draws it. */

import { orbitOf } from "./camera_attribute.js";
import { HOME, Stage } from "./stage.js";
import { findSurface } from "./surface_worker.js";

/** @typedef {import("../field/surface.js").Mesh} Mesh */

const QUALITIES = [64, 128, 256];

export class ShapeView {
  static label = "A 3D shape.";
  static keys = "The arrow keys turn it; + and - bring it closer and take it away.";

  /** @type {Worker | undefined} */
  #worker;
  /** @type {string | null} */
  #camera = null;
  /** Level and quality of the surface that is shown or on its way. */
  #request = "";
  /** Of the surface that is shown. @type {{ cells: number, faces: number, isLast: boolean } | undefined} */
  #progress;
  /** Axis that points up in the file. */
  #up = "y";
  /** @type {HTMLElement} */
  #element;
  /** The finest mesh so far, in the coordinates of the shape that was fitted. @type {Mesh | undefined} */
  mesh;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Uint8Array} data
   * @param {(progress: { cells: number, faces: number, isLast: boolean }) => void} report
   * @param {(message: string) => void} fail
   * @param {HTMLElement} element
   * @throws {Error} the browser has no WebGL
   */
  constructor(canvas, data, report, fail, element) {
    this.data = data;
    this.report = report;
    this.fail = fail;
    this.#element = element;
    this.#extract(); // by a worker, while this thread waits for WebGL
    const lose = () => fail("the browser has taken the graphics context away; it may come back by itself, or after a reload");
    try {
      this.stage = new Stage(canvas, lose, () => this.#tell());
    } catch (error) {
      this.#worker?.terminate();
      throw error;
    }
    this.resize();
  }

  get controls() {
    return this.stage.controls;
  }

  /** Bring surface and stage in line with the element's attributes. @param {HTMLElement} element */
  dress(element) {
    const { stage } = this;
    stage.setUp(this.up);
    stage.controls.enabled = element.getAttribute("controls") !== "none";
    stage.controls.autoRotate = element.hasAttribute("auto-rotate") && !matchMedia("(prefers-reduced-motion)").matches;
    const camera = element.getAttribute("camera");
    if (camera !== this.#camera) {
      const orbit = camera ? orbitOf(camera) : HOME;
      if (orbit) stage.setOrbit(orbit);
    }
    this.#camera = camera; // which stays where a person has put it
    stage.redraw();
    this.#extract();
  }

  /** Axis of the shape that points up: by the element's attribute, or else as the file says. */
  get up() {
    const given = this.#element.getAttribute("up") ?? "";
    return /^-?[xyz]$/.test(given) ? given : this.#up;
  }

  /** Find the surface that the element's attributes ask for, unless it is shown or on its way. */
  #extract() {
    const [level, cells] = [levelOf(this.#element), cellsOf(this.#element)];
    if (this.#request === `${level} ${cells}`) return;
    this.#request = `${level} ${cells}`;
    this.#worker?.terminate();
    this.#worker = findSurface({ data: this.data, level, cells }, (reply) => this.#receive(reply), this.fail);
  }

  /** @param {import("./shape_worker.js").Reply} reply */
  #receive({ positions, indices, normals, cells, isLast, centre, scale, up }) {
    this.#up = up;
    this.stage.setUp(this.up);
    this.stage.show({ positions, indices, normals });
    this.mesh = { positions: positions.map((x, i) => x * scale + centre[i % 3]), indices };
    this.#progress = { cells, faces: indices.length / 3, isLast };
    this.#tell();
  }

  /** Report the surface that is shown, if there is one. */
  #tell() {
    if (!this.#progress || this.stage.isLost) return;
    this.report(this.#progress);
    this.#progress = { ...this.#progress, isLast: false }; // it is loaded once, however often a lost context comes back
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.stage.pause(isPaused);
  }

  resize() {
    this.stage.resize();
  }

  dispose() {
    this.#worker?.terminate();
    this.stage.dispose();
  }
}

/** @param {HTMLElement} element */
function levelOf(element) {
  const level = Number(element.getAttribute("level") ?? 0.5);
  return level > 0 && level < 1 ? level : 0.5;
}

/** @param {HTMLElement} element */
function cellsOf(element) {
  const quality = Number(element.getAttribute("quality"));
  return QUALITIES.includes(quality) ? quality : 256;
}
