/** A shape inside <sine-view>: a worker finds its surface, coarse first, and the stage draws it. */

import { Stage } from "./stage.js";
import { findSurface } from "./surface_worker.js";

/** @typedef {import("../field/surface.js").Mesh} Mesh */

const QUALITIES = [64, 128, 256];

export class ShapeView {
  static label = "A 3D shape. The arrow keys turn it; + and - bring it closer and take it away.";

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
    try {
      this.stage = new Stage(canvas);
    } catch (error) {
      this.#worker?.terminate();
      throw error;
    }
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // so that it can come back
      fail("the browser has taken the graphics context away; it may come back by itself, or after a reload");
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.stage.redraw();
      if (this.#progress) report(this.#progress);
    });
    this.resize();
  }

  get controls() {
    return this.stage.controls;
  }

  /** Bring surface and stage in line with the element's attributes. @param {HTMLElement} element */
  dress(element) {
    const { stage } = this;
    stage.setUp(this.up);
    stage.setBackground(element.getAttribute("background"));
    stage.controls.enabled = element.getAttribute("controls") !== "none";
    stage.controls.autoRotate = element.hasAttribute("auto-rotate") && !matchMedia("(prefers-reduced-motion)").matches;
    const [theta, phi, distance] = (element.getAttribute("camera") ?? "").split(/[\s,]+/).map(Number);
    if (Number.isFinite(distance) && this.#camera !== element.getAttribute("camera")) stage.setOrbit({ theta, phi, distance });
    this.#camera = element.getAttribute("camera"); // the camera stays where a person has put it
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
    this.report(this.#progress);
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
