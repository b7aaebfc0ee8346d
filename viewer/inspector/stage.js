// Panes with one shared camera. three.js draws shapes into them; scenes bring pictures of their own.

import { PerspectiveCamera } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

export const BASE_FOV = 34; // degrees, of the shorter side of a pane

/** The number of columns that gives n panes the largest shorter side. */
function columnsFor(n, width, height) {
  let best = 1;
  const side = (c) => Math.min(width / c, height / Math.ceil(n / c));
  for (let c = 2; c <= n; c++) if (side(c) > side(best)) best = c;
  return best;
}

export class Stage {
  constructor() {
    this.canvas = document.getElementById("canvas");
    this.container = document.getElementById("panes");
    this.camera = new PerspectiveCamera(BASE_FOV, 1, 0.01, 100);
    this.panes = []; // {element, entries}
    this.onMove = () => {};
    this.draw = null; // redraws the panes; set by the page that fills them
    new ResizeObserver(() => this.resized()).observe(document.getElementById("stage"));
  }

  /** Set the camera, and let the mouse orbit it around a target. */
  place(position, target, up) {
    this.home = { position, target, up };
    this.camera.up.copy(up);
    this.camera.position.copy(position);
    this.controls?.dispose();
    this.controls = new OrbitControls(this.camera, this.container); // it reads `up` when constructed
    this.controls.target.copy(target);
    this.controls.addEventListener("change", () => this.moved());
    this.controls.update();
    this.moved();
  }

  reset() {
    this.place(this.home.position, this.home.target, this.home.up);
  }

  moved() {
    this.onMove();
    this.redraw();
  }

  /** One pane for each group; a group is a list of entries {view, label}, whose labels the pane shows. */
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
    if (this.scheduled || this.draw === null) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.draw();
    });
  }
}

/** Count the drawings made, for the tests to wait for. */
export function countDrawing() {
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
}

export function element(tag, className = "", text = "") {
  const created = document.createElement(tag);
  if (className) created.className = className;
  if (text) created.textContent = text;
  return created;
}

/** The label of an asset: its name and caption, its quality, and a note on its progress. */
export class Label {
  constructor(asset, colour = null) {
    this.element = element("div", "label");
    const title = this.element.appendChild(element("strong", "", asset.name));
    if (asset.original) title.append(element("span", "original", "original"));
    if (colour) title.prepend(this.dot(colour));
    this.caption = this.element.appendChild(element("div"));
    this.quality = this.element.appendChild(element("div", "quality"));
    this.note = this.element.appendChild(element("div", "note", "loading …"));
  }

  dot(colour) {
    const dot = element("i", "dot");
    dot.style.background = colour;
    return dot;
  }

  setCaption(caption) {
    this.caption.replaceChildren(...Object.values(caption).map((text) => element("div", "", text)));
  }

  setNote(text, isError = false) {
    this.note.textContent = text;
    this.note.classList.toggle("error", isError);
  }
}
