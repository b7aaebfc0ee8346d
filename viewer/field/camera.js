/** Cameras of a scene: their rays, and the path around the home view. See docs/format.md. */

/** @typedef {import("./warps.js").Vector} Vector */
/** @typedef {import("../decoder/radiance.js").Lens} Lens */
/** @typedef {import("../decoder/radiance.js").Capture} Capture */
/** Rotation (3 x 3, rows first: right, up and back are its columns) and position in the scene, and a lens.
 * @typedef {{ rotation: number[], position: number[], lens: Lens }} Camera */

const REACH = 0.7; // of a path, as a fraction of the capture's own radii

/** @param {Capture} capture @returns {Camera} */
export const homeCamera = ({ rotation, position, lens }) => ({ rotation, position, lens });

/**
 * The unit direction in the scene of a pixel's middle.
 *
 * @param {Camera} camera
 * @param {number} x column, from 0
 * @param {number} y row, from the top
 * @returns {Vector}
 */
export function directionOf({ rotation: r, lens }, x, y) {
  const right = (x + 0.5 - lens.cx) / lens.fx;
  const up = (lens.cy - y - 0.5) / lens.fy;
  const d = [0, 3, 6].map((row) => r[row] * right + r[row + 1] * up - r[row + 2]);
  const length = Math.hypot(...d);
  return [d[0] / length, d[1] / length, d[2] / length];
}

/**
 * Chunks of a picture's rows, those in the middle first.
 *
 * @param {number} height of the picture
 * @param {number} rows of a chunk, at most
 */
export function chunksFromTheMiddle(height, rows) {
  const starts = Array.from({ length: Math.ceil(height / rows) }, (_, i) => i * rows);
  starts.sort((a, b) => Math.abs(a + rows / 2 - height / 2) - Math.abs(b + rows / 2 - height / 2));
  return starts.map((start) => ({ start, stop: Math.min(height, start + rows) }));
}

/**
 * The same camera with another number of pixels, so that its shape stays filled.
 *
 * @param {Lens} lens
 * @param {number} width
 * @param {number} height
 * @returns {Lens}
 */
export function resized(lens, width, height) {
  const [x, y] = [width / lens.width, height / lens.height];
  return { fx: lens.fx * x, fy: lens.fy * y, cx: lens.cx * x, cy: lens.cy * y, width, height };
}

/**
 * The lens for a picture of this size, such that the photographs' field of view fills it.
 *
 * @param {Lens} lens
 * @param {number} width
 * @param {number} height
 * @returns {Lens}
 */
export function filling(lens, width, height) {
  const aspect = lens.width / lens.height;
  const isSame = Math.abs(width - height * aspect) <= Math.max(1, aspect); // up to rounding
  const scale = Math.max(width / lens.width, height / lens.height);
  const [x, y] = isSame ? [width / lens.width, height / lens.height] : [scale, scale];
  const [cx, cy] = [width / 2 + (lens.cx - lens.width / 2) * x, height / 2 + (lens.cy - lens.height / 2) * y];
  return { fx: lens.fx * x, fy: lens.fy * y, cx, cy, width, height };
}

/**
 * The direction about which a free camera turns: of a forward-facing scene home's own, else the scene's z, which is where
 * its photographs have their up on average.
 *
 * @param {{ capture: Capture, warp: import("./warps.js").Warp }} scene
 */
export const upOf = ({ capture, warp }) => (warp.kind === "ndc" ? [1, 4, 7].map((place) => capture.rotation[place]) : [0, 0, 1]);

/** The point that a path looks at. @param {Capture} capture */
export const focusOf = ({ rotation: r, position, focus }) => position.map((x, axis) => x - focus * r[3 * axis + 2]);

/**
 * The position at an angle of the closed path around the home view, as in NeRF's published code.
 *
 * @param {Capture} capture
 * @param {number} angle radians
 */
export function positionOnPath({ rotation: r, position, radii }, angle) {
  const offset = [Math.cos(angle), Math.sin(angle), 0.5 * Math.sin(2 * angle)].map((x, i) => REACH * radii[i] * x);
  return position.map((x, axis) => x + offset[0] * r[3 * axis] + offset[1] * r[3 * axis + 1] + offset[2] * r[3 * axis + 2]);
}
