/** Keys that move a camera about what it looks at, as a pointer does. */

import { Quaternion, Spherical, Vector3 } from "three";

/** Degrees around and above, and how many times as far. @type {Record<string, [number, number, number]>} */
const KEYS = {
  ArrowLeft: [-10, 0, 1], ArrowRight: [10, 0, 1], ArrowUp: [0, 10, 1], ArrowDown: [0, -10, 1],
  "+": [0, 0, 0.8], "=": [0, 0, 0.8], "-": [0, 0, 1.25],
};
const DEGREE = Math.PI / 180;
const POLE = DEGREE; // how near the camera comes to looking straight down
const UP = new Vector3(0, 1, 0);

/**
 * Move the camera where an arrow, + or - has been pressed; as fast as its controls turn it. Other keys do nothing.
 *
 * @param {KeyboardEvent} event
 * @param {import("three/addons/controls/OrbitControls.js").OrbitControls} controls
 */
export function orbitByKey(event, controls) {
  const move = KEYS[event.key];
  if (!move || !controls.enabled || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const { object: camera, target, rotateSpeed } = controls;
  const upright = new Quaternion().setFromUnitVectors(camera.up.clone().normalize(), UP);
  const arm = new Spherical().setFromVector3(camera.position.clone().sub(target).applyQuaternion(upright));
  arm.theta += move[0] * rotateSpeed * DEGREE;
  arm.phi = Math.max(POLE, Math.min(Math.PI - POLE, arm.phi - move[1] * rotateSpeed * DEGREE));
  arm.radius *= move[2];
  controls.dispatchEvent({ type: "start" }); // as a pointer's: whatever moves the camera by itself ends
  camera.position.setFromSpherical(arm).applyQuaternion(upright.invert()).add(target);
  controls.update();
}
