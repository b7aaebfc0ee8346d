/**
 * Warps of a scene into the cube in which its networks are evaluated. See docs/format.md.
 *
 * A ray is given by its fractions: 0 where its sampled part begins, 1 where it ends.
 */

/** @typedef {[number, number, number]} Vector */
/** @typedef {import("../decoder/radiance.js").Warp} Warp */

const FORWARD = 1e-3; // smallest -z of a direction: the frustum cannot represent rays that point sideways or back
const FAR_FACE = 1 - 1e-4; // keeps infinity at a finite distance

/** A ray that is straight in the cube. */
export class CubeRay {
  /**
   * @param {number[]} start where it begins to be sampled, in the cube
   * @param {number[]} step from there to its end
   * @param {number} length of the step, in units of the cube
   * @param {(fraction: number) => number} distance from the camera, in units of the scene
   */
  constructor(start, step, length, distance) {
    this.start = start;
    this.step = step;
    this.length = length;
    this.distance = distance;
  }

  /** Write the point at a fraction. @param {number} fraction @param {Float32Array} points (3, stride) @param {number} at @param {number} stride */
  place(fraction, points, at, stride) {
    for (let axis = 0; axis < 3; axis++) points[at + axis * stride] = this.start[axis] + this.step[axis] * fraction;
  }

  /** The length between two fractions, in units of the cube. @param {number} from @param {number} to */
  between(from, to) {
    return this.length * (to - from);
  }
}

const FARTHEST = 0.999; // fraction of a ray in a contraction, a thousand radii away

/** A ray that a warp bends: its points lie on a straight line of the scene. */
export class BentRay {
  /**
   * @param {Vector} origin in the scene
   * @param {Vector} direction
   * @param {(point: Vector) => Vector} warped
   * @param {(fraction: number) => number} distance from the camera, in units of the scene
   */
  constructor(origin, direction, warped, distance) {
    this.origin = origin;
    this.direction = direction;
    this.warped = warped;
    this.distance = distance;
  }

  /** @param {number} fraction @returns {Vector} in the cube */
  #point(fraction) {
    const distance = this.distance(fraction);
    const [x, y, z] = this.origin;
    return this.warped([x + distance * this.direction[0], y + distance * this.direction[1], z + distance * this.direction[2]]);
  }

  /** As of a `CubeRay`. @param {number} fraction @param {Float32Array} points @param {number} at @param {number} stride */
  place(fraction, points, at, stride) {
    const point = this.#point(fraction);
    for (let axis = 0; axis < 3; axis++) points[at + axis * stride] = point[axis];
  }

  /** The length of the chord between two fractions, in units of the cube. @param {number} from @param {number} to */
  between(from, to) {
    const [a, b] = [this.#point(from), this.#point(to)];
    return Math.hypot(b[0] - a[0], b[1] - a[1], b[2] - a[2]);
  }
}

/** @typedef {CubeRay | BentRay} Ray */

/**
 * How rays, given by their origin and unit direction in the scene, are sampled.
 *
 * @param {Warp} warp
 * @returns {(origin: Vector, direction: Vector) => Ray}
 */
export function rayWarp(warp) {
  if (warp.kind === "ndc") return (origin, direction) => ndcRay(warp, origin, direction);
  if (warp.kind === "box") return (origin, direction) => boxRay(warp, origin, direction);
  const warped = pointWarp(warp);
  /** @param {number} fraction */
  const distance = (fraction) => {
    const v = Math.min(fraction, FARTHEST);
    return warp.near + (warp.radius * v) / (1 - v);
  };
  return (origin, direction) => new BentRay(origin, direction, warped, distance);
}

/**
 * Where points of the scene lie in the cube.
 *
 * @param {Warp} warp
 * @returns {(point: Vector) => Vector}
 */
export function pointWarp(warp) {
  if (warp.kind === "ndc") {
    return ([x, y, z]) => [-x / (warp.tanX * z), -y / (warp.tanY * z), 1 + (2 * warp.near) / z];
  }
  const [cx, cy, cz] = warp.centre;
  if (warp.kind === "box") {
    const longest = Math.max(...warp.half);
    return ([x, y, z]) => [(x - cx) / longest, (y - cy) / longest, (z - cz) / longest];
  }
  return (point) => {
    const [x, y, z] = [(point[0] - cx) / warp.radius, (point[1] - cy) / warp.radius, (point[2] - cz) / warp.radius];
    const m = Math.max(1, Math.abs(x), Math.abs(y), Math.abs(z));
    const scale = (2 - 1 / m) / (2 * m);
    return [x * scale, y * scale, z * scale];
  };
}

/**
 * Where points of the cube lie in the scene: the inverse of `pointWarp`.
 *
 * @param {Warp} warp
 * @returns {(point: Vector) => Vector}
 */
export function pointUnwarp(warp) {
  if (warp.kind === "ndc") {
    return ([x, y, w]) => {
      const z = (2 * warp.near) / (Math.min(w, FAR_FACE) - 1);
      return [-x * warp.tanX * z, -y * warp.tanY * z, z];
    };
  }
  const { centre } = warp;
  if (warp.kind === "box") {
    const longest = Math.max(...warp.half);
    return ([x, y, z]) => [centre[0] + x * longest, centre[1] + y * longest, centre[2] + z * longest];
  }
  return ([x, y, z]) => {
    const size = Math.max(Math.abs(x), Math.abs(y), Math.abs(z), 1e-9);
    const m = size <= 0.5 ? 2 * size : 1 / (2 - 2 * Math.min(size, FAR_FACE)); // the inverse of (2 - 1/m) / 2
    const scale = (warp.radius * m) / size;
    return [centre[0] + x * scale, centre[1] + y * scale, centre[2] + z * scale];
  };
}

/** @param {Extract<Warp, { kind: "ndc" }>} warp @param {Vector} origin @param {Vector} direction */
function ndcRay({ tanX, tanY, near }, origin, direction) {
  const d = [direction[0], direction[1], Math.min(direction[2], -FORWARD)];
  const toNear = -(near + origin[2]) / d[2];
  const o = origin.map((x, axis) => x + toNear * d[axis]);
  const start = [-o[0] / (tanX * o[2]), -o[1] / (tanY * o[2]), 1 + (2 * near) / o[2]];
  const step = [(o[0] / o[2] - d[0] / d[2]) / tanX, (o[1] / o[2] - d[1] / d[2]) / tanY, (-2 * near) / o[2]];
  return new CubeRay(start, step, Math.hypot(...step), (fraction) => {
    const bounded = Math.min(fraction, FAR_FACE);
    return toNear + (o[2] * bounded) / ((1 - bounded) * d[2]);
  });
}

/** @param {Extract<Warp, { kind: "box" }>} warp @param {Vector} origin @param {Vector} direction */
function boxRay({ centre, half, near }, origin, direction) {
  const longest = Math.max(...half);
  const o = origin.map((x, axis) => (x - centre[axis]) / longest);
  let [enter, leave] = [near / longest, Infinity];
  for (let axis = 0; axis < 3; axis++) {
    const d = Math.abs(direction[axis]) < 1e-9 ? 1e-9 : direction[axis];
    const limit = half[axis] / longest;
    const [first, second] = [(-limit - o[axis]) / d, (limit - o[axis]) / d];
    enter = Math.max(enter, Math.min(first, second));
    leave = Math.min(leave, Math.max(first, second));
  }
  const length = Math.max(leave, enter) - enter;
  const start = o.map((x, axis) => x + enter * direction[axis]);
  return new CubeRay(start, direction.map((x) => length * x), length, (fraction) => (enter + length * fraction) * longest);
}
