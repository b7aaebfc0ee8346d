/**
 * A scene baked: opacity and colour on a grid of the warp's cube, and which bricks of the grid hold anything.
 *
 * A voxel is four bytes: red, green and blue times s, then s, the square root of the opacity over one `reference` length.
 * The root keeps thin haze within eight bits, and colours are premultiplied so that empty voxels do not darken their
 * neighbours. Of each brick, `distances` holds how many bricks away the nearest occupied one is (Chebyshev): a ray skips
 * them at once.
 */

import { normalAt } from "./normals.js";
import { BentRay, pointUnwarp, pointWarp, rayWarp } from "./warps.js";

/** @typedef {import("./warps.js").Vector} Vector */
/** @typedef {import("./warps.js").Warp} Warp */
/** Bricks in the cube: their lowest corner, edges and counts along x, y, z, and the cells along an edge of each brick.
 * @typedef {{ low: number[], brick: number[], bricks: number[], cells: number }} Layout */
/** @typedef {{ layout: Layout, values: Uint8Array<ArrayBuffer>, distances: Uint8Array<ArrayBuffer> }} Baked */

export const FARTHEST_BRICK = 15; // of the distances that are told apart
const OPAQUE = 2 ** -8; // the light that is left of a ray when it is followed no further
const DIFFERENCE = 1e-3; // of a ray's fractions, for the direction of bent rays
const BEYOND = 0.01; // cells that a skip goes past the border of a brick
const SLACK = 0.1; // cells that a skip along a bent ray may go past it
const HALVINGS = 8; // of such a skip, at most

/** Voxels along x, y and z. @param {Layout} layout */
export const voxelsOf = ({ bricks, cells }) => bricks.map((count) => count * cells + 1);

/** Edges of a cell. @param {Layout} layout */
export const cellOf = ({ brick, cells }) => brick.map((edge) => edge / cells);

/** The length over which a voxel's opacity is stored, in units of the cube: over a longer one, surfaces would grow thick. @param {Layout} layout */
export const referenceOf = (layout) => Math.min(...cellOf(layout));

/**
 * How far each brick is from the nearest occupied one, in bricks, up to FARTHEST_BRICK.
 *
 * @param {number[]} bricks counts along x, y, z
 * @param {(brick: number) => boolean} isOccupied
 */
export function brickDistances(bricks, isOccupied) {
  const count = bricks[0] * bricks[1] * bricks[2];
  let reached = Uint8Array.from({ length: count }, (_, brick) => Number(isOccupied(brick)));
  const distances = new Uint8Array(count).fill(FARTHEST_BRICK);
  for (let ring = 0; ring < FARTHEST_BRICK; ring++) {
    for (let brick = 0; brick < count; brick++) if (reached[brick] && distances[brick] > ring) distances[brick] = ring;
    reached = [0, 1, 2].reduce((grown, axis) => grownAlong(grown, bricks, axis), reached);
  }
  return distances;
}

/** @param {Uint8Array<ArrayBuffer>} marks @param {number[]} bricks @param {number} axis */
function grownAlong(marks, bricks, axis) {
  const stride = [1, bricks[0], bricks[0] * bricks[1]][axis];
  return marks.map((mark, brick) => {
    const place = Math.floor(brick / stride) % bricks[axis];
    return mark | (place > 0 ? marks[brick - stride] : 0) | (place < bricks[axis] - 1 ? marks[brick + stride] : 0);
  });
}

/** What a baked scene looks like: the reference, and what runs where there is no WebGL2. */
export class BakedScene {
  /** @param {Baked} baked @param {Warp} warp @param {"last_sample" | "white" | "black"} background */
  constructor({ layout, values, distances }, warp, background) {
    this.layout = layout;
    this.values = values;
    this.distances = distances;
    this.background = background;
    this.warped = rayWarp(warp);
    this.pointWarp = pointWarp(warp);
    this.pointUnwarp = pointUnwarp(warp);
    this.cell = cellOf(layout);
    this.reference = referenceOf(layout);
    this.voxels = voxelsOf(layout);
    this.voxel = new Float64Array(4);
    this.point = new Float32Array(3);
  }

  /**
   * @param {Vector} origin of all rays
   * @param {Vector[]} directions unit vectors
   * @param {boolean} [withNormals]
   * @returns {import("./ray_marcher.js").Seen}
   */
  render(origin, directions, withNormals = false) {
    const count = directions.length;
    const [colour, depth, accumulation] = [3, 1, 1].map((size) => new Float32Array(size * count));
    const normals = withNormals ? new Float32Array(3 * count) : null;
    directions.forEach((direction, index) => {
      const ray = this.warped(origin, direction);
      const seen = this.#follow(ray);
      const full = this.background === "last_sample" ? Math.max(1e-3, 1 - seen.light) : 1;
      const behind = this.background === "white" ? seen.light : 0;
      seen.colour.forEach((x, axis) => (colour[3 * index + axis] = Math.max(0, Math.min(1, x / full + behind))));
      depth[index] = ray.distance(seen.median);
      accumulation[index] = 1 - seen.light;
      if (normals) normals.set(this.#normal(ray, seen.median), 3 * index);
    });
    return { colour, depth, accumulation, normals };
  }

  /** @param {import("./warps.js").Ray} ray @returns {{ colour: number[], light: number, median: number }} median: a fraction */
  #follow(ray) {
    const colour = [0, 0, 0];
    let [light, median] = [1, 1];
    for (let fraction = 0; fraction < 1 && light > OPAQUE; ) {
      const { place, velocity, speed } = this.#motion(ray, fraction);
      if (!(speed > 1e-6)) break; // the end of a bent ray
      const rings = this.#distance(place);
      if (rings > 0) {
        fraction += this.#skip(ray, fraction, { place, velocity, speed }, rings);
        continue;
      }
      const step = Math.min(1 / speed, 1 - fraction);
      this.#sample(place.map((x, axis) => x + (velocity[axis] * step) / 2));
      const [, , , root] = this.voxel;
      if (root > 0) {
        const length = Math.hypot(...velocity.map((x, axis) => x * this.cell[axis])) * step;
        const weight = light * (1 - (1 - Math.min(root * root, 0.9999999)) ** (length / this.reference));
        for (let axis = 0; axis < 3; axis++) colour[axis] += (weight * this.voxel[axis]) / root;
        if (light > 0.5) median = fraction + step / 2;
        light -= weight;
      }
      fraction += step;
    }
    return { colour, light, median };
  }

  /** Place and velocity in cells, and the largest component of the velocity. @param {import("./warps.js").Ray} ray @param {number} fraction */
  #motion(ray, fraction) {
    const [place, ahead] = [fraction, fraction + DIFFERENCE].map((at) => this.#place(ray, at));
    const velocity = place.map((p, axis) => (ahead[axis] - p) / DIFFERENCE);
    return { place, velocity, speed: Math.max(...velocity.map(Math.abs)) };
  }

  /** In cells. @param {import("./warps.js").Ray} ray @param {number} fraction */
  #place(ray, fraction) {
    ray.place(fraction, this.point, 0, 1);
    return this.cell.map((edge, axis) => (this.point[axis] - this.layout.low[axis]) / edge);
  }

  /** @param {number[]} place in cells */
  #distance(place) {
    const { bricks, cells } = this.layout;
    const [x, y, z] = place.map((p) => Math.floor(p / cells));
    if (x < 0 || y < 0 || z < 0 || x >= bricks[0] || y >= bricks[1] || z >= bricks[2]) return 1;
    return this.distances[x + bricks[0] * (y + bricks[1] * z)];
  }

  /**
   * Fractions until the empty bricks around a place end. A bent ray may be faster than it is at its place: it stays within.
   *
   * @param {import("./warps.js").Ray} ray
   * @param {number} fraction
   * @param {{ place: number[], velocity: number[], speed: number }} motion there
   * @param {number} rings
   */
  #skip(ray, fraction, { place, velocity, speed }, rings) {
    const { cells } = this.layout;
    const borders = place.map((p) => [1 - rings, rings].map((ring) => (Math.floor(p / cells) + ring) * cells));
    const times = borders.map(([least, most], axis) => ((velocity[axis] > 0 ? most : least) - place[axis]) / velocity[axis]);
    let skip = Math.min(...times.filter((_, axis) => velocity[axis] !== 0)) + BEYOND / speed;
    for (let i = 0; i < HALVINGS && ray instanceof BentRay; i++, skip /= 2) {
      const ahead = this.#place(ray, fraction + skip);
      if (borders.every(([least, most], axis) => ahead[axis] > least - SLACK && ahead[axis] < most + SLACK)) break;
    }
    return skip;
  }

  /** Interpolate between the eight voxels around a place. @param {number[]} place in cells */
  #sample(place) {
    const [nx, ny] = this.voxels;
    this.voxel.fill(0);
    const from = place.map((p, axis) => Math.max(0, Math.min(this.voxels[axis] - 2, Math.floor(p))));
    const part = place.map((p, axis) => Math.max(0, Math.min(1, p - from[axis])));
    for (let corner = 0; corner < 8; corner++) {
      const side = [corner & 1, (corner >> 1) & 1, corner >> 2];
      const weight = side.reduce((product, ahead, axis) => product * (ahead ? part[axis] : 1 - part[axis]), 1 / 255);
      const at = 4 * (from[0] + side[0] + nx * (from[1] + side[1] + ny * (from[2] + side[2])));
      for (let i = 0; i < 4; i++) this.voxel[i] += weight * this.values[at + i];
    }
  }

  /** @param {import("./warps.js").Ray} ray @param {number} fraction */
  #normal(ray, fraction) {
    const { place } = this.#motion(ray, fraction);
    const gradient = this.cell.map((edge, axis) => {
      const [ahead, behind] = [1, -1].map((by) => {
        this.#sample(place.map((x, i) => (i === axis ? x + by : x)));
        return this.voxel[3] ** 2;
      });
      return (ahead - behind) / edge;
    });
    const points = /** @type {Vector} */ (place.map((x, axis) => this.layout.low[axis] + x * this.cell[axis]));
    return normalAt(this.pointWarp, this.pointUnwarp(points), gradient);
  }
}
