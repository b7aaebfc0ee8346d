// Panes with one shared camera. Shapes are drawn into them by three.js; scenes bring pictures of their own.
"use strict";

const BASE_FOV = 34; // degrees, of the shorter side of a pane

/** Columns that give n panes the largest shorter side. */
function columnsFor(n, width, height) {
  let best = 1;
  const side = (c) => Math.min(width / c, height / Math.ceil(n / c));
  for (let c = 2; c <= n; c++) if (side(c) > side(best)) best = c;
  return best;
}

class Stage {
  constructor() {
    this.canvas = document.getElementById("canvas");
    this.holder = document.getElementById("panes");
    this.camera = new THREE.PerspectiveCamera(BASE_FOV, 1, 0.01, 100);
    this.panes = []; // {element, label, views}
    this.onMove = () => {};
    this.draw = null; // what redraws the panes; set by whoever fills them
    new ResizeObserver(() => this.resized()).observe(document.getElementById("stage"));
  }

  /** Put the camera somewhere and let the mouse turn it about a target. */
  place(position, target, up) {
    this.home = { position, target, up };
    this.camera.up.copy(up);
    this.camera.position.copy(position);
    this.controls?.dispose();
    this.controls = new THREE.OrbitControls(this.camera, this.holder); // it takes `up` over when it is made
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

  /** One pane an entry; each entry is a list of views whose labels the pane shows. */
  arrange(entries) {
    this.holder.replaceChildren();
    this.panes = entries.map((views) => {
      const element = make("div", "pane");
      const labels = make("div", "labels");
      labels.append(...views.map((view) => view.label));
      element.append(labels);
      this.holder.append(element);
      return { element, views };
    });
    this.resized();
  }

  resized() {
    const { clientWidth, clientHeight } = this.holder;
    if (!clientWidth || !this.panes.length) return;
    const columns = columnsFor(this.panes.length, clientWidth, clientHeight);
    this.holder.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.onMove();
    this.redraw();
  }

  /** Draw in the next frame; many wishes make one drawing. */
  redraw() {
    if (this.wanted || this.draw === null) return;
    this.wanted = true;
    requestAnimationFrame(() => {
      this.wanted = false;
      this.draw();
    });
  }
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** The label of an item: its name, what it is made of, and what is found out later. */
class Label {
  constructor(item, colour = null) {
    this.element = make("div", "label");
    const title = this.element.appendChild(make("strong", "", item.name));
    if (item.original) title.append(make("span", "original", "original"));
    if (colour) title.prepend(this.dot(colour));
    this.facts = this.element.appendChild(make("div"));
    this.quality = this.element.appendChild(make("div", "quality"));
    this.note = this.element.appendChild(make("div", "note", "reading …"));
  }

  dot(colour) {
    const made = make("i", "dot");
    made.style.background = colour;
    return made;
  }

  setFacts(facts) {
    this.facts.replaceChildren(...Object.values(facts).map((text) => make("div", "", text)));
  }

  setNote(text, isError = false) {
    this.note.textContent = text;
    this.note.classList.toggle("error", isError);
  }
}
