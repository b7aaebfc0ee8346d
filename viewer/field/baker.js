/** What workers do to bake a scene: find the bricks that cameras see, then evaluate the field at their voxels. */

import { cellOf, referenceOf, voxelsOf } from "./baked_volume.js";
import { directionOf } from "./camera.js";
import { POINTS } from "./layer_engine.js";
import { pointUnwarp, rayWarp } from "./warps.js";

/** @typedef {import("./baked_volume.js").Layout} Layout */
/** @typedef {import("./warps.js").Vector} Vector */

/** Bit of a mark, whose others say which cameras see a brick: infinity, where a ray's last sample fills what is left of its light. */
export const FULL = 2 ** 15;
const SEEN = 0.3; // of a ray's light, over the number of its samples: what absorbs more is baked
const LEFT = 0.05; // of a ray's light, after the last sample
const CLEAR = 1e-3; // opacity of a voxel whose colour is of no importance

export class Baker {
  /** @param {import("./ray_marcher.js").RayMarcher} marcher @param {import("./warps.js").Warp} warp */
  constructor(marcher, warp) {
    this.marcher = marcher;
    this.warped = rayWarp(warp);
    this.unwarp = pointUnwarp(warp);
    const { sampling, coarseSamples: bins, fineSamples } = marcher.config;
    const edge = (fineSamples + 0.5) / (fineSamples + 1);
    /** The fraction of an empty ray at the middle of its last sample, whose colour all of its light gets. */
    this.last = sampling === "proposal" ? fineSamples / (fineSamples + 1) : (Math.max(edge, 1 - 1 / bins) + 1) / 2;
    this.isInfinite = warp.kind !== "box";
  }

  /**
   * Bricks in which a camera's rays lose light; of some rows of its pixels.
   *
   * @param {Layout} layout
   * @param {import("./camera.js").Camera} camera
   * @param {number} start row
   * @param {number} stop
   * @returns {{ seen: Uint32Array<ArrayBuffer>, full: Uint32Array<ArrayBuffer> }} full: at infinity, where some light arrives
   */
  mark(layout, camera, start, stop) {
    const [seen, full] = [new Set(), new Set()];
    for (let y = start; y < stop; y++) {
      const directions = Array.from({ length: camera.lens.width }, (_, x) => directionOf(camera, x, y));
      const traced = this.marcher.trace(/** @type {Vector} */ (camera.position), directions);
      traced.rays.forEach((ray, index) => {
        const edges = traced.edges[index];
        let absorbed = 0;
        for (let sample = 0; sample < traced.samples; sample++) {
          const before = absorbed;
          absorbed = traced.cumulative[sample][index];
          if (absorbed - before > SEEN / traced.samples) for (const brick of bricksAlong(layout, ray, edges[sample], edges[sample + 1])) seen.add(brick);
        }
        if (1 - absorbed > LEFT && this.isInfinite && traced.background === "last_sample") {
          for (const brick of bricksAlong(layout, ray, 1, 1)) full.add(brick);
        }
      });
    }
    return { seen: Uint32Array.from(seen), full: Uint32Array.from(full) };
  }

  /**
   * Voxels of a baked scene.
   *
   * @param {Layout} layout
   * @param {Uint32Array} voxels indices
   * @param {Uint16Array} marks of each voxel: it has the colour that the middle one of its cameras sees
   * @param {number[][]} positions of the cameras
   * @returns {Uint8Array<ArrayBuffer>} (n, 4) as of a `BakedScene`
   */
  evaluate(layout, voxels, marks, positions) {
    const values = new Uint8Array(4 * voxels.length);
    const reference = referenceOf(layout);
    const { points, result, directions, colours } = this.marcher.second.attached();
    const place = placeOf(layout);
    const middle = middleOf(positions);
    for (let start = 0; start < voxels.length; start += POINTS) {
      const size = Math.min(POINTS, voxels.length - start);
      for (let lane = 0; lane < size; lane++) {
        const point = place(voxels[start + lane]);
        const position = middle(marks[start + lane]);
        const direction = towards(position, this.unwarp(point));
        for (let axis = 0; axis < 3; axis++) {
          points[lane + axis * POINTS] = point[axis];
          directions[lane + axis * POINTS] = direction[axis];
        }
        if (marks[start + lane] & FULL) this.warped(position, direction).place(this.last, points, lane, POINTS);
      }
      this.marcher.second.evaluate();
      const opacities = Array.from({ length: size }, (_, lane) =>
        marks[start + lane] & FULL ? 1 : 1 - Math.exp(-result[lane] * reference));
      if (Math.max(...opacities) < CLEAR) continue;
      this.marcher.second.evaluateColour();
      opacities.forEach((opacity, lane) => {
        const at = 4 * (start + lane);
        values[at + 3] = Math.round(255 * Math.sqrt(opacity));
        for (let axis = 0; axis < 3; axis++) values[at + axis] = Math.round(values[at + 3] * colours[lane + axis * POINTS]);
      });
    }
    return values;
  }
}

/** The position of the middle one of a mark's cameras: from a mean position nothing was photographed. @param {number[][]} positions */
function middleOf(positions) {
  /** @type {Map<number, Vector>} */
  const known = new Map();
  return (/** @type {number} */ mark) => {
    let middle = known.get(mark);
    if (!middle) {
      const some = positions.filter((_, index) => (mark >> index) & 1);
      const mean = [0, 1, 2].map((axis) => some.reduce((sum, position) => sum + position[axis] / some.length, 0));
      const distances = some.map((position) => Math.hypot(...position.map((x, axis) => x - mean[axis])));
      middle = /** @type {Vector} */ (some[distances.indexOf(Math.min(...distances))]);
      known.set(mark, middle);
    }
    return middle;
  };
}

/** A unit vector. @param {Vector} from @param {Vector} to @returns {Vector} */
function towards(from, to) {
  const [x, y, z] = to.map((place, axis) => place - from[axis]);
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}

/** The point of the cube at which a voxel, by its index, lies. @param {Layout} layout */
function placeOf(layout) {
  const [nx, ny] = voxelsOf(layout);
  const cell = cellOf(layout);
  const { low } = layout;
  return (/** @type {number} */ voxel) => {
    const index = [voxel % nx, Math.floor(voxel / nx) % ny, Math.floor(voxel / (nx * ny))];
    return /** @type {Vector} */ (index.map((i, axis) => low[axis] + i * cell[axis]));
  };
}

/** @param {Layout} layout @param {import("./warps.js").Ray} ray @param {number} from @param {number} to fractions */
function* bricksAlong({ low, brick, bricks }, ray, from, to) {
  const points = new Float32Array(3);
  const steps = Math.ceil((2 * ray.between(from, to)) / Math.min(...brick)) + 1;
  for (let step = 0; step < steps; step++) {
    ray.place(from + ((to - from) * (step + 0.5)) / steps, points, 0, 1);
    const [x, y, z] = brick.map((edge, axis) => Math.floor((points[axis] - low[axis]) / edge));
    if (x >= 0 && y >= 0 && z >= 0 && x < bricks[0] && y < bricks[1] && z < bricks[2]) yield x + bricks[0] * (y + bricks[1] * z);
  }
}
