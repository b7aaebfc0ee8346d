/**
 * `<sine-view src="dragon.sine">`: a shape of a few kilobytes on anyone's page.
 *
 * Attributes: src (URL of a .sine file), level (occupancy of the surface, 0.5), quality (cells a side: 64, 128 or 256),
 * up (y, z, -y, ...), camera ("degrees around, degrees above, distance"), auto-rotate, controls ("none" for none),
 * background (a CSS colour), poster (URL of a picture shown until the first mesh), alt (what a screen reader says).
 * Events: progress ({ cells }) for each mesh, load for the last one, error ({ message }).
 * Nothing is fetched before the element comes near the window.
 */

import workerSource from "worker:./shape_worker.js";

import { Stage } from "./stage.js";

const STYLE = `
  :host { display: block; position: relative; width: 100%; aspect-ratio: 4 / 3; overflow: hidden; }
  :host([hidden]) { display: none; }
  canvas, .poster { position: absolute; inset: 0; width: 100%; height: 100%; }
  canvas { display: block; touch-action: none; outline-offset: -2px; }
  .poster { object-fit: contain; pointer-events: none; }
  .note { position: absolute; inset: auto 0 0 0; padding: 0.4em 0.6em; font: 13px/1.4 system-ui, sans-serif;
    color: #5a544c; text-align: center; pointer-events: none; }
  .note.error { inset: 0; display: grid; place-content: center; color: #8d3b2b; }`;
const QUALITIES = [64, 128, 256];
const KEYS = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] };

export class SineView extends HTMLElement {
  static observedAttributes = ["src", "level", "quality", "up", "camera", "auto-rotate", "controls", "background", "poster", "alt"];

  /** @type {Stage | undefined} */
  #stage;
  /** @type {Worker | undefined} */
  #worker;
  /** @type {Uint8Array | undefined} */
  #data;
  #resizes = new ResizeObserver(() => this.#stage?.resize(this.clientWidth, this.clientHeight));
  #nearness = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#start(), {
    rootMargin: "300px",
  });
  #isStarted = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const style = document.createElement("style");
    style.textContent = STYLE;
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.poster = document.createElement("img");
    this.poster.className = "poster";
    this.poster.alt = "";
    this.poster.hidden = true;
    this.note = document.createElement("div");
    this.note.setAttribute("role", "status");
    this.#say("");
    root.append(style, this.canvas, this.poster, this.note);
    this.canvas.addEventListener("keydown", (event) => this.#press(event));
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault()); // so that it can come back
    this.canvas.addEventListener("webglcontextrestored", () => this.#stage?.redraw());
  }

  connectedCallback() {
    this.#resizes.observe(this);
    this.#nearness.observe(this);
    this.#label();
  }

  disconnectedCallback() {
    this.#resizes.disconnect();
    this.#nearness.disconnect();
    this.#worker?.terminate();
    this.#stage?.dispose();
    this.#worker = this.#stage = undefined;
    this.#isStarted = false;
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (name === "alt") this.#label();
    if (name === "poster") {
      this.poster.src = this.getAttribute("poster") ?? "";
      this.poster.hidden = !this.poster.src;
    }
    if (!this.#isStarted) return;
    if (name === "src") {
      this.#data = undefined;
      this.#load();
    } else if (name === "level" || name === "quality") this.#extract();
    else this.#dress();
  }

  /** Show the bytes of a .sine file in place of one at a URL. @param {Uint8Array} data */
  show(data) {
    this.#data = data;
    if (this.#isStarted) this.#extract();
  }

  /** The finest mesh so far, in the coordinates of the shape that was fitted. */
  get mesh() {
    return this.#mesh;
  }

  /** @type {import("../field/surface.js").Mesh | undefined} */
  #mesh;

  #start() {
    if (this.#isStarted) return;
    this.#isStarted = true;
    try {
      this.#stage = new Stage(this.canvas);
    } catch {
      this.#fail("this browser has no WebGL, which shows 3D shapes");
      return;
    }
    this.#stage.resize(this.clientWidth, this.clientHeight);
    this.#dress();
    if (this.#data) this.#extract();
    else this.#load();
  }

  async #load() {
    const source = this.getAttribute("src");
    if (!source) return;
    this.#say("loading …");
    try {
      const response = await fetch(source);
      if (!response.ok) throw new Error(`the server answers ${response.status} for ${source}`);
      const data = new Uint8Array(await response.arrayBuffer());
      if (source === this.getAttribute("src")) this.show(data);
    } catch (error) {
      const isNetwork = error instanceof TypeError; // what fetch throws when there is no answer, or one without CORS
      this.#fail(isNetwork ? `${source} cannot be fetched: no such server, or it does not allow this page (CORS)` : messageOf(error));
    }
  }

  #extract() {
    if (!this.#data || !this.#stage) return;
    this.#worker?.terminate();
    this.#say("finding the surface …");
    const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
    const worker = (this.#worker = new Worker(url));
    worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true }); // sooner, it may not start
    worker.addEventListener("error", (event) => this.#fail(event.message || "the browser does not start a worker here"));
    worker.addEventListener("message", ({ data }) => (data.error ? this.#fail(`The file ${data.error}`) : this.#receive(data)));
    worker.postMessage({ data: this.#data, level: this.#level(), cells: this.#cells() });
  }

  /** @param {import("./shape_worker.js").Reply} reply */
  #receive({ positions, indices, cells, isLast, centre, scale }) {
    this.poster.hidden = true;
    this.#stage?.show({ positions, indices });
    this.#mesh = { positions: positions.map((x, i) => x * scale + centre[i % 3]), indices };
    this.#say("");
    this.dispatchEvent(new CustomEvent("progress", { detail: { cells, faces: indices.length / 3 } }));
    if (isLast) this.dispatchEvent(new CustomEvent("load"));
  }

  #level() {
    const level = Number(this.getAttribute("level") ?? 0.5);
    return level > 0 && level < 1 ? level : 0.5;
  }

  #cells() {
    const quality = Number(this.getAttribute("quality"));
    return QUALITIES.includes(quality) ? quality : 256;
  }

  /** Bring the stage in line with the attributes. */
  #dress() {
    const stage = this.#stage;
    if (!stage) return;
    stage.setUp(/^-?[xyz]$/.test(this.getAttribute("up") ?? "") ? String(this.getAttribute("up")) : "y");
    stage.setBackground(this.getAttribute("background"));
    stage.controls.enabled = this.getAttribute("controls") !== "none";
    stage.controls.autoRotate = this.hasAttribute("auto-rotate") && !matchMedia("(prefers-reduced-motion)").matches;
    const [theta, phi, distance] = (this.getAttribute("camera") ?? "").split(/[\s,]+/).map(Number);
    if (Number.isFinite(distance)) stage.setOrbit({ theta, phi, distance });
    stage.redraw();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const turn = KEYS[/** @type {keyof typeof KEYS} */ (event.key)];
    if (!turn || !this.#stage?.controls.enabled) return;
    this.#stage.turn(turn[0], turn[1]);
    event.preventDefault();
  }

  #label() {
    this.canvas.setAttribute("aria-label", this.getAttribute("alt") ?? "A 3D shape. The arrow keys turn it.");
  }

  /** @param {string} text @param {boolean} [isError] */
  #say(text, isError = false) {
    this.note.textContent = text;
    this.note.className = isError ? "note error" : "note";
    this.note.hidden = !text;
  }

  /** @param {string} message */
  #fail(message) {
    this.#say(message, true);
    this.dispatchEvent(new CustomEvent("error", { detail: { message } }));
  }
}

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

customElements.define("sine-view", SineView);
