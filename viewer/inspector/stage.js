/** Panes with one shared camera. three.js draws shapes into them; scenes bring pictures of their own. */

import { PerspectiveCamera } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

import { orbitByKey } from "../element/orbit_keys.js";
import { FIELD_OF_VIEW } from "../element/stage.js";

/** @typedef {import("three").Vector3} Vector3 */
/** @template View @typedef {{ view: View, label: HTMLElement }} Entry of a pane */
/** @template View @typedef {{ element: HTMLElement, entries: Entry<View>[] }} Pane */

/** The number of columns that gives n panes the largest shorter side. @param {number} n @param {number} width @param {number} height */
function columnsFor(n, width, height) {
  let best = 1;
  /** @param {number} c */
  const side = (c) => Math.min(width / c, height / Math.ceil(n / c));
  for (let c = 2; c <= n; c++) if (side(c) > side(best)) best = c;
  return best;
}

export class Stage {
  canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("canvas"));
  container = /** @type {HTMLElement} */ (document.getElementById("panes"));
  camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 100);
  /** @type {OrbitControls | undefined} */
  controls;
  /** @type {Pane<any>[]} */
  panes = [];
  #isScheduled = false;
  onMove = () => {};
  /** Redraws the panes; set by the page that fills them. @type {(() => void) | null} */
  draw = null;

  constructor() {
    new ResizeObserver(() => this.resized()).observe(/** @type {HTMLElement} */ (document.getElementById("stage")));
    this.container.addEventListener("keydown", (event) => this.controls && orbitByKey(event, this.controls));
  }

  /** Set the camera, and let pointer and keys orbit it around a target. @param {Vector3} position @param {Vector3} target @param {Vector3} up */
  place(position, target, up) {
    this.camera.up.copy(up);
    this.camera.position.copy(position);
    this.controls?.dispose();
    this.controls = new OrbitControls(this.camera, this.container); // it reads `up` when constructed
    this.controls.target.copy(target);
    this.controls.addEventListener("change", () => this.moved());
    this.controls.update();
    this.moved();
    return this.controls;
  }

  moved() {
    this.onMove();
    this.redraw();
  }

  /** One pane for each group of entries, whose labels the pane shows. @param {Entry<any>[][]} groups */
  arrange(groups) {
    this.container.replaceChildren();
    this.panes = groups.map((entries) => {
      const pane = element("div", "pane");
      const labels = element("div", "labels");
      labels.append(...entries.map((entry) => entry.label));
      pane.append(labels);
      this.container.append(pane);
      return { element: pane, entries };
    });
    this.resized();
  }

  resized() {
    const { clientWidth, clientHeight } = this.container;
    if (!clientWidth || !this.panes.length) return;
    const columns = columnsFor(this.panes.length, clientWidth, clientHeight);
    this.container.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.onMove();
    this.redraw();
  }

  /** Draw in the next frame, once however often this is called before. */
  redraw() {
    if (this.#isScheduled || this.draw === null) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.draw?.();
    });
  }
}

/** Count the drawings made, for the tests to wait for. */
export function countDrawing() {
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, className = "", text = "") {
  const created = document.createElement(tag);
  if (className) created.className = className;
  if (text) created.textContent = text;
  return created;
}

/** The label of an asset: its name and caption, its quality, and a note on its progress. */
export class Label {
  /** @param {import("./requests.js").Asset} asset @param {string} [colour] of its dot */
  constructor(asset, colour) {
    this.element = element("div", "label");
    const title = this.element.appendChild(element("strong", "", asset.name));
    if (asset.original) title.append(element("span", "original", "original"));
    if (colour) title.prepend(this.dot(colour));
    this.caption = this.element.appendChild(element("div", "caption"));
    this.quality = this.element.appendChild(element("div", "quality"));
    this.note = this.element.appendChild(element("div", "note", "loading …"));
  }

  /** @param {string} colour */
  dot(colour) {
    const dot = element("i", "dot");
    dot.style.background = colour;
    return dot;
  }

  /** @param {Record<string, string>} caption */
  setCaption(caption) {
    this.caption.replaceChildren(...Object.values(caption).map((text) => element("div", "", text)));
  }

  /** @param {string} text */
  setNote(text, isError = false) {
    this.note.textContent = text;
    this.note.classList.toggle("error", isError);
  }
}
