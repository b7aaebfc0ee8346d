/**
 * `<sine-view src="dragon.sine">`: a shape of a few kilobytes, or a scene of some tens, on anyone's page.
 *
 * Attributes: src (URL of a .sine file), camera ("degrees around, degrees above, distance"; of a scene, from its home
 * view, with the distance as a multiple of home's), auto-rotate (a shape turns; the camera of a scene follows its path),
 * controls ("none" for none), background (a CSS colour), poster (URL of a picture shown until the first of ours), alt
 * (what a screen reader says), quality (of a shape: 64, 128 or 256 cells a side; of a scene: pixels of the longer side,
 * at most 1024). Of shapes: level (occupancy of the surface, 0.5) and up (y, z, -y, ...; by default as the file says).
 * Of scenes: output (rgb, depth, accumulation or normals) and, before the file is shown, renderer ("wasm", or "webgpu" even where that is software).
 * Events: progress ({ cells, faces } or { width, height }) for each mesh or picture, load for the last one, error
 * ({ message }). Nothing is fetched before the element comes near the window.
 */

import { RADIANCE } from "../decoder/container.js";
import { messageOf } from "./messages.js";
import { orbitByKey } from "./orbit_keys.js";
import { SceneView } from "./scene_view.js";
import { ShapeView } from "./shape_view.js";

const STYLE = `
  :host { display: block; position: relative; width: 100%; aspect-ratio: 4 / 3; overflow: hidden; }
  :host([hidden]) { display: none; }
  canvas, .poster { position: absolute; inset: 0; width: 100%; height: 100%; }
  canvas { display: block; outline-offset: -2px; }
  :host([controls="none"]) canvas { touch-action: auto !important; } /* a finger scrolls the page */
  .poster { object-fit: contain; pointer-events: none; }
  .note { position: absolute; inset: auto 0 0 0; padding: 0.4em 0.6em; font: 13px/1.4 system-ui, sans-serif;
    color: #5a544c; text-align: center; pointer-events: none; }
  .note.error { inset: 0; display: grid; place-content: center; color: #8d3b2b; }
  .poster:not([hidden]) ~ .note.error { background: #fffd; }
  .note[hidden] { display: none; }`;
const KIND = 5; // place of the kind in a file
const NEAR = 300; // pixels from the window, at which a file is fetched

export class SineView extends HTMLElement {
  static observedAttributes = [
    "src", "level", "quality", "up", "camera", "auto-rotate", "controls", "background", "poster", "alt", "output",
  ];

  /** @type {ShapeView | SceneView | undefined} */
  #view;
  /** @type {Uint8Array | undefined} */
  #data;
  #resizes = new ResizeObserver(() => this.#view?.resize());
  #nearness = new IntersectionObserver((entries) => this.#passed(entries[entries.length - 1].isIntersecting), {
    rootMargin: `${NEAR}px`,
  });
  #isNear = false;
  #isStarted = false;
  #hasPicture = false;
  /** Of files asked for: what arrives of an earlier one is left. */
  #run = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const style = document.createElement("style");
    style.textContent = STYLE;
    this.canvas = document.createElement("canvas");
    this.poster = document.createElement("img");
    this.poster.className = "poster";
    this.poster.alt = "";
    this.poster.loading = "lazy"; // before it has an address
    this.poster.hidden = true;
    this.note = document.createElement("div");
    this.note.setAttribute("role", "status");
    this.#say("");
    root.append(style, this.canvas, this.poster, this.note);
  }

  connectedCallback() {
    this.#resizes.observe(this);
    this.#nearness.observe(this);
    if (document.readyState !== "loading" && this.#isInReach()) this.#passed(true); // the observer waits for a frame
  }

  disconnectedCallback() {
    this.#resizes.disconnect();
    this.#nearness.disconnect();
    this.#close();
    this.#isNear = this.#isStarted = false;
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (name === "poster") {
      this.poster.src = this.getAttribute("poster") ?? "";
      this.#showPoster();
    }
    if (name === "src") {
      this.#close();
      this.#data = undefined;
      if (this.#isStarted) this.#load();
    } else this.#dress();
  }

  /** Show the bytes of a .sine file in place of one at a URL. @param {Uint8Array} data */
  show(data) {
    this.#close();
    this.#data = data;
    const wasStarted = this.#isStarted;
    if (this.#isInReach()) this.#passed(true); // the observer waits for a frame
    if (wasStarted) this.#open(data);
  }

  /** The finest mesh so far, in the coordinates of the shape that was fitted; undefined for a scene. */
  get mesh() {
    return this.#view instanceof ShapeView ? this.#view.mesh : undefined;
  }

  /** Axis of the shape that points up; undefined for a scene. */
  get up() {
    return this.#view instanceof ShapeView ? this.#view.up : undefined;
  }

  #isInReach() {
    const { left, right, top, bottom } = this.getBoundingClientRect();
    return right > left && right > -NEAR && bottom > -NEAR && left < innerWidth + NEAR && top < innerHeight + NEAR;
  }

  /** The element has come near the window, or left it: what nobody can see is not worked on. @param {boolean} isNear */
  #passed(isNear) {
    this.#isNear = isNear;
    this.#view?.pause(!isNear);
    if (!isNear || this.#isStarted) return;
    this.#isStarted = true;
    if (this.#data) this.#open(this.#data);
    else this.#load();
  }

  /** Leave nothing of the file that is shown, or on its way. */
  #close() {
    this.#run += 1;
    this.#view?.dispose();
    this.#view = undefined;
    this.#hasPicture = false;
    this.#renewCanvas(); // the one before has its last picture
    this.#showPoster();
    this.#say("");
  }

  async #load() {
    const source = this.getAttribute("src");
    if (!source) return;
    const run = this.#run;
    this.#say("loading …");
    try {
      const response = await fetch(source);
      if (!response.ok) throw new Error(`the server answers ${response.status} for ${source}`);
      const data = new Uint8Array(await response.arrayBuffer());
      if (run === this.#run) this.#open((this.#data = data));
    } catch (error) {
      if (run !== this.#run) return;
      const isNetwork = error instanceof TypeError; // what fetch throws when there is no answer, or one without CORS
      this.#fail(isNetwork ? `${source} cannot be fetched: no such server, or it does not allow this page (CORS)` : messageOf(error));
    }
  }

  /** @param {Uint8Array} data */
  #open(data) {
    this.#say("decoding …");
    const report = (/** @type {{ isLast: boolean }} */ progress) => this.#receive(progress);
    const fail = (/** @type {string} */ message) => this.#fail(message);
    try {
      const isScene = data[KIND] === RADIANCE;
      this.#view = isScene ? new SceneView(this.canvas, data, report, fail) : new ShapeView(this.canvas, data, report, fail, this);
    } catch {
      this.#fail("this browser has no WebGL, which shows 3D shapes");
      return;
    }
    this.#dress();
    this.#view.pause(!this.#isNear);
  }

  /** Bring canvas and view in line with the attributes. */
  #dress() {
    const isSteered = this.getAttribute("controls") !== "none";
    const { label, keys } = this.#view instanceof SceneView ? SceneView : ShapeView;
    this.canvas.tabIndex = isSteered ? 0 : -1;
    this.canvas.setAttribute("aria-label", this.getAttribute("alt") ?? (isSteered ? `${label} ${keys}` : label));
    this.canvas.style.background = this.getAttribute("background") ?? "";
    this.#view?.dress(this);
  }

  #renewCanvas() {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.addEventListener("keydown", (event) => this.#view && orbitByKey(event, this.#view.controls));
    this.canvas.replaceWith(canvas);
    this.canvas = canvas;
    this.#dress();
  }

  /** @param {{ isLast: boolean } & Record<string, any>} progress */
  #receive({ isLast, ...detail }) {
    this.#hasPicture = true;
    this.#showPoster();
    this.#say("");
    this.dispatchEvent(new CustomEvent("progress", { detail }));
    if (isLast) this.dispatchEvent(new CustomEvent("load"));
  }

  #showPoster() {
    this.poster.hidden = this.#hasPicture || !this.getAttribute("poster");
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

customElements.define("sine-view", SineView);
