/** The camera of a scene: three.js's as ours, and one that follows the path around the home view. */

import { positionOnPath } from "../field/camera.js";

/** @typedef {import("../decoder/radiance.js").Capture} Capture */

const SECONDS = 20; // of once around the path

/**
 * A camera of three.js, with a lens of ours.
 *
 * @param {import("three").PerspectiveCamera} camera
 * @param {import("../decoder/radiance.js").Lens} lens
 * @returns {import("../field/camera.js").Camera}
 */
export function cameraOf(camera, lens) {
  camera.updateMatrixWorld(); // three.js only does so when it draws
  const m = camera.matrixWorld.elements; // columns first
  const rotation = [m[0], m[4], m[8], m[1], m[5], m[9], m[2], m[6], m[10]];
  return { rotation, position: camera.position.toArray(), lens };
}

/** A motion along the path. */
export class CameraPath {
  #angle = 0;
  #frame = 0;

  /** @param {(position: number[]) => void} place called for each frame */
  constructor(place) {
    this.place = place;
  }

  /** Follow the path of a scene, from where it was left. @param {Capture} capture */
  play(capture) {
    this.stop();
    let last = performance.now();
    const step = (/** @type {number} */ now) => {
      this.#angle += (Math.min(0.1, (now - last) / 1000) / SECONDS) * 2 * Math.PI; // a hidden tab has no frames
      last = now;
      this.#frame = requestAnimationFrame(step);
      this.place(positionOnPath(capture, this.#angle));
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.#frame);
  }
}
