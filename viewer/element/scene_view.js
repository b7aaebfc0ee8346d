/** A scene inside <sine-view>: its pictures, and the camera that a person moves or that follows a path. */

import { PerspectiveCamera, Vector3 } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

import { focusOf, upOf } from "../field/camera.js";
import { orbitOf } from "./camera_attribute.js";
import { OUTPUTS } from "./outputs.js";
import { ProgressivePicture } from "./progressive_picture.js";
import { RenderPool } from "./render_pool.js";
import { CameraPath, cameraOf } from "./scene_camera.js";

/** @typedef {import("../decoder/radiance.js").Capture} Capture */
/** @typedef {import("./outputs.js").Output} Output */

const MOST_PIXELS = 1024; // of the longer side
const DEFAULT_PIXELS = 640; // at most, unless asked for: some seconds on two cores
const DEGREE = Math.PI / 180;

export class SceneView {
  static label = "A 3D scene.";
  static keys = "The arrow keys move the camera; + and - bring it closer and take it away.";

  /** @type {Capture | undefined} */
  #capture;
  /** About which the camera turns. */
  #up = new Vector3(0, 1, 0);
  #isPlaying = false;
  #isPaused = false;
  /** What the attributes said last: the camera stays where a person has put it. @type {{ place?: string, isPlaying?: boolean }} */
  #asked = {};
  #isLoaded = false;
  #path = new CameraPath((position) => {
    this.camera.position.fromArray(position);
    this.controls.update();
  });

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Uint8Array} data
   * @param {(progress: import("./progressive_picture.js").Progress) => void} report
   * @param {(message: string) => void} fail
   */
  constructor(canvas, data, report, fail) {
    this.canvas = canvas;
    this.pool = new RenderPool(data, fail);
    this.picture = new ProgressivePicture(canvas, this.pool, (progress) => {
      report({ ...progress, isLast: progress.isLast && !this.#isLoaded });
      this.#isLoaded ||= progress.isLast; // the same file is loaded once, however often the camera rests
    });
    this.camera = new PerspectiveCamera();
    this.controls = this.#newControls();
    /** @type {HTMLElement | undefined} */
    this.attributes = undefined;
    this.pool.scene.then((scene) => {
      this.#capture = scene.capture;
      this.#up.set(.../** @type {import("../field/warps.js").Vector} */ (upOf(scene)));
      if (this.attributes) this.dress(this.attributes);
    });
  }

  /** Bring camera and picture in line with the element's attributes. @param {HTMLElement} element */
  dress(element) {
    this.attributes = element;
    this.#setRest(element);
    const output = /** @type {Output} */ (element.getAttribute("output"));
    this.picture.output = OUTPUTS.includes(output) ? output : "rgb";
    this.controls.enabled = element.getAttribute("controls") !== "none";
    this.picture.accelerate(element.getAttribute("renderer"));
    this.picture.moves = this.controls.enabled || element.hasAttribute("auto-rotate");
    if (!this.#capture) return;
    const [place, isPlaying] = [element.getAttribute("camera") ?? "", element.hasAttribute("auto-rotate")];
    if (place !== this.#asked.place) {
      const orbit = orbitOf(place);
      if (orbit || !place || this.#asked.place === undefined) this.#place(orbit); // else the camera stays
    }
    if (isPlaying !== this.#asked.isPlaying) {
      const isAdded = this.#asked.isPlaying !== undefined; // to a scene on display: someone asks for the motion
      this.#isPlaying = isPlaying && (isAdded || !matchMedia("(prefers-reduced-motion)").matches);
      this.#play();
    }
    this.#asked = { place, isPlaying };
    this.redraw();
  }

  /** Choose the pixels of the longer side at rest: the attribute `quality`, or those of the canvas. @param {HTMLElement} element */
  #setRest(element) {
    const quality = Number(element.getAttribute("quality"));
    const side = Math.max(this.canvas.clientWidth, this.canvas.clientHeight);
    if (!side) return; // it is hidden: what is under way is finished as it was begun
    this.picture.rest = Math.min(MOST_PIXELS, Math.round(quality >= 1 ? quality : Math.min(side, DEFAULT_PIXELS)) || 1);
  }

  /** @param {import("./camera_attribute.js").Orbit} [orbit] around the home view, with the distance as a multiple of home's */
  #place(orbit) {
    const capture = /** @type {Capture} */ (this.#capture);
    const target = new Vector3(...focusOf(capture));
    const right = new Vector3(...[0, 3, 6].map((row) => capture.rotation[row]));
    const arm = new Vector3(...capture.position).sub(target);
    if (orbit) {
      arm.multiplyScalar(orbit.distance).applyAxisAngle(right, -orbit.phi * DEGREE).applyAxisAngle(this.#up, orbit.theta * DEGREE);
    }
    this.camera.up.copy(this.#up);
    this.#look(arm.add(target), target);
  }

  /** @param {Vector3} position @param {Vector3} target */
  #look(position, target) {
    const { enabled } = this.controls;
    this.camera.position.copy(position);
    this.controls.dispose(); // they read `up` when they are made
    this.controls = this.#newControls();
    this.controls.enabled = enabled;
    this.controls.target.copy(target);
    this.controls.update();
    this.redraw();
  }

  #newControls() {
    const controls = new OrbitControls(this.camera, this.canvas);
    controls.rotateSpeed = 0.4;
    controls.addEventListener("change", () => this.redraw());
    controls.addEventListener("start", () => this.attributes?.removeAttribute("auto-rotate"));
    return controls;
  }

  /** Follow the path around the home view, until a person takes the camera or nobody can see it. */
  #play() {
    if (this.#isPlaying && !this.#isPaused && this.#capture) this.#path.play(this.#capture);
    else this.#path.stop();
  }

  /** Move, render and bake nothing while nobody can see it. @param {boolean} isPaused */
  pause(isPaused) {
    this.#isPaused = isPaused;
    this.picture.pause(isPaused);
    this.#play();
  }

  redraw() {
    if (!this.#capture || !this.canvas.clientWidth) return;
    this.picture.show(cameraOf(this.camera, this.#capture.lens));
  }

  resize() {
    if (this.attributes) this.#setRest(this.attributes);
    this.redraw();
  }

  dispose() {
    this.#path.stop();
    this.controls.dispose();
    this.picture.dispose();
    this.pool.close();
  }
}
