/** Turning shapes upright. */

import { Vector3 } from "three";

const SCREEN_UP = new Vector3(0, 1, 0);

/**
 * Turn an object, such as a mesh, so that an axis of its own points up on the screen.
 *
 * @param {import("three").Object3D} object
 * @param {string} up y, z, -y, ...
 */
export function turnUp(object, up) {
  const axis = new Vector3().setComponent("xyz".indexOf(up.at(-1) ?? "y"), up.startsWith("-") ? -1 : 1);
  object.quaternion.setFromUnitVectors(axis, SCREEN_UP);
}
