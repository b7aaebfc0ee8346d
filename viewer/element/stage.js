/** One canvas with one shape: light, camera and orbit controls. Draws only when something has changed. */

import {
  BufferAttribute, BufferGeometry, DirectionalLight, DoubleSide, HemisphereLight, Mesh, MeshStandardMaterial,
  PerspectiveCamera, Scene, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

import { turnUp } from "./up_axis.js";

export const CLAY = "#d8cbb4";
export const FIELD_OF_VIEW = 34; // degrees, of the shorter side
/** Where the camera is at first. */
export const HOME = { theta: 17, phi: 12, distance: 4.4 };
const TURN_SECONDS = 20; // of one revolution of `auto-rotate`

/** Give a camera a picture's aspect, width by height, and the field of view along the shorter side. @param {PerspectiveCamera} camera @param {number} aspect */
export function fit(camera, aspect) {
  const half = Math.tan((FIELD_OF_VIEW * Math.PI) / 360) / Math.min(1, aspect);
  Object.assign(camera, { aspect, fov: (2 * Math.atan(half) * 180) / Math.PI });
  camera.updateProjectionMatrix();
}

export class Stage {
  #listening = new AbortController();
  #isPaused = false;
  /** Whether the graphics context has been given back, or will be. */
  #isLent = false;
  /** Whether the context is on its way, there or back. */
  #isMoving = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} lose called when the browser takes the graphics context away
   * @param {() => void} regain called when it has given it back
   * @throws {Error} the browser has no WebGL
   */
  constructor(canvas, lose, regain) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 100);
    const light = new DirectionalLight("#ffffff", 2.2);
    light.position.set(2, 3, 4);
    this.camera.add(light); // the light stays where it is on the screen
    this.scene.add(new HemisphereLight("#ffffff", "#a39787", 1.1), this.camera);
    this.material = new MeshStandardMaterial({ color: CLAY, roughness: 0.65, side: DoubleSide });
    this.mesh = new Mesh(new BufferGeometry(), this.material);
    this.scene.add(this.mesh);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.autoRotateSpeed = 60 / TURN_SECONDS;
    this.controls.addEventListener("change", () => this.redraw());
    this.setOrbit(HOME);
    this.renderer.compile(this.scene, this.camera); // by the graphics process, while the surface is sought
    const { signal } = this.#listening;
    canvas.addEventListener("webglcontextlost", () => { // which three.js keeps from being final
      if (this.#isLent) setTimeout(() => this.#arrived()); // nothing can be asked for before this event has ended
      else lose();
    }, { signal });
    canvas.addEventListener("webglcontextrestored", () => {
      this.redraw();
      if (!this.#isLent) regain();
      this.#isLent = false;
      this.#arrived();
    }, { signal });
  }

  /** Whether the browser has taken the graphics context away. */
  get isLost() {
    return !this.#isLent && this.renderer.getContext().isContextLost();
  }

  /** Stand still while nobody can see the shape, without a graphics context: a browser has 16 of them, or 8. @param {boolean} isPaused */
  pause(isPaused) {
    this.#isPaused = isPaused;
    this.#moveContext();
    this.redraw();
  }

  #arrived() {
    this.#isMoving = false;
    this.#moveContext();
  }

  /** Give the context back, or ask for one, unless an earlier wish is still on its way. */
  #moveContext() {
    if (this.#isMoving || this.isLost || this.#isPaused === this.#isLent) return;
    this.#isMoving = true;
    if (this.#isPaused) {
      this.#isLent = true;
      this.renderer.forceContextLoss();
    } else this.renderer.forceContextRestore();
  }

  /** Show a surface in place of the one before. @param {import("../field/surface.js").Mesh & { normals: Float32Array }} surface */
  show({ positions, indices, normals }) {
    this.mesh.geometry.dispose();
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(positions, 3));
    geometry.setIndex(new BufferAttribute(indices, 1));
    geometry.setAttribute("normal", new BufferAttribute(normals, 3));
    this.mesh.geometry = geometry;
    this.redraw();
  }

  /** Turn the axis that points up in the shape to point up on the screen. @param {string} up y, z, -y, ... */
  setUp(up) {
    turnUp(this.mesh, up);
    this.redraw();
  }

  /** @param {import("./camera_attribute.js").Orbit} orbit with the distance in units of the cube */
  setOrbit({ theta, phi, distance }) {
    const [around, above] = [(theta * Math.PI) / 180, (phi * Math.PI) / 180];
    const flat = distance * Math.cos(above);
    this.camera.position.set(flat * Math.sin(around), distance * Math.sin(above), flat * Math.cos(around));
    this.controls.target.set(0, 0, 0);
    this.controls.update();
    this.redraw();
  }

  /** Draw as many pixels as the canvas covers. */
  resize() {
    const { clientWidth: width, clientHeight: height } = this.renderer.domElement;
    if (!width || !height) return;
    this.renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    this.renderer.setSize(width, height, false);
    fit(this.camera, width / height);
    this.redraw();
  }

  /** @type {number | undefined} */
  frame;

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.renderer.render(this.scene, this.camera);
      if (this.controls.autoRotate && !this.#isPaused) this.controls.update(); // which asks for the next frame
    });
  }

  dispose() {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.controls.dispose();
    this.mesh.geometry.dispose();
    this.material.dispose();
    this.#listening.abort();
    this.renderer.dispose();
    if (!this.renderer.getContext().isContextLost()) this.renderer.forceContextLoss(); // or it would be one of the 16
  }
}
