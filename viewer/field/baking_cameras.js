/** Cameras around a scene's home view, from which what is seen of it is baked. */

import { focusOf, homeCamera, positionOnPath, upOf } from "./camera.js";

/** @typedef {import("./camera.js").Camera} Camera */
/** @typedef {import("./warps.js").Vector} Vector */

const COUNT = 8; // of a full turn
const RAISED = Math.PI / 9; // how much higher every fourth camera around a focus is
const HIGHEST = 0.45 * Math.PI;

/**
 * The home view, and views along the path around it. Of a scene that is seen from all sides, views around its focus: as
 * high as home, higher, as high, half as high, and so on.
 *
 * @param {{ capture: import("../decoder/radiance.js").Capture, warp: import("./warps.js").Warp }} scene
 * @returns {Camera[]}
 */
export function bakingCameras({ capture, warp }) {
  const home = homeCamera(capture);
  const focus = focusOf(capture);
  const up = upOf({ capture, warp });
  const angles = Array.from({ length: COUNT }, (_, index) => (2 * Math.PI * index) / COUNT);
  const positions = warp.kind === "ndc"
    ? angles.map((angle) => positionOnPath(capture, angle))
    : angles.slice(1).map((angle, index) => raised(turned(home.position, focus, up, angle), focus, up, index % 4));
  return [home, ...positions.map((position) => ({ ...home, position, rotation: lookingAt(position, focus, up) }))];
}

/** A position turned about an axis through the focus (Rodrigues). @param {number[]} position @param {number[]} focus @param {number[]} axis @param {number} angle */
function turned(position, focus, axis, angle) {
  const arm = position.map((x, i) => x - focus[i]);
  const across = cross(axis, arm);
  const along = axis.reduce((sum, x, i) => sum + x * arm[i], 0) * (1 - Math.cos(angle));
  return focus.map((x, i) => x + arm[i] * Math.cos(angle) + across[i] * Math.sin(angle) + axis[i] * along);
}

/** A position at the same distance from the focus, higher for 0 and lower for 2. @param {number[]} position @param {number[]} focus @param {number[]} up @param {number} turn */
function raised(position, focus, up, turn) {
  const arm = position.map((x, i) => x - focus[i]);
  const height = arm.reduce((sum, x, i) => sum + x * up[i], 0);
  const flat = unit(arm.map((x, i) => x - height * up[i]));
  const distance = Math.hypot(...arm);
  const above = Math.asin(Math.max(-1, Math.min(1, height / (distance || 1))));
  const angle = turn === 0 ? Math.max(above, Math.min(HIGHEST, above + RAISED)) : turn === 2 ? above / 2 : above;
  return focus.map((x, i) => x + distance * (Math.cos(angle) * flat[i] + Math.sin(angle) * up[i]));
}

/** Rotation of a camera, rows first: right, up and back are its columns. @param {number[]} position @param {number[]} target @param {number[]} up */
export function lookingAt(position, target, up) {
  const back = unit(position.map((x, i) => x - target[i]));
  const right = unit(cross(up, back));
  const above = cross(back, right);
  return [0, 1, 2].flatMap((i) => [right[i], above[i], back[i]]);
}

/** @param {number[]} a @param {number[]} b */
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
/** @param {number[]} v */
const unit = (v) => v.map((x) => x / (Math.hypot(...v) || 1));
