/** Normals of a radiance field: the direction in which the density falls fastest. */

import { DensityGradient } from "./density_gradient.js";
import { POINTS } from "./layer_engine.js";
import { pointWarp } from "./warps.js";

/** @typedef {import("./warps.js").Vector} Vector */

const STEP = 1e-4; // of the differences that give the warp's derivative, relative to the point's distance

export class NormalFinder {
  /** @param {import("./radiance_networks.js").RadianceNetwork} network @param {import("../decoder/radiance.js").Warp} warp */
  constructor(network, warp) {
    this.network = network;
    this.warp = pointWarp(warp);
    this.gradient = new DensityGradient(network);
  }

  /**
   * Unit normals (n, 3), in axes of the scene, at points along rays.
   *
   * @param {Vector} origin
   * @param {Vector[]} directions
   * @param {Float32Array} distances
   */
  find(origin, directions, distances) {
    const normals = new Float32Array(3 * directions.length);
    const { points } = this.network.attached();
    for (let start = 0; start < directions.length; start += POINTS) {
      const size = Math.min(POINTS, directions.length - start);
      const places = directions.slice(start, start + size).map((direction, lane) =>
        /** @type {Vector} */ (direction.map((x, axis) => origin[axis] + distances[start + lane] * x)));
      places.forEach((place, lane) => this.warp(place).forEach((x, axis) => (points[lane + axis * POINTS] = x)));
      const gradient = this.gradient.evaluate();
      places.forEach((place, lane) => {
        normals.set(normalAt(this.warp, place, [0, 1, 2].map((axis) => gradient[lane + axis * POINTS])), 3 * (start + lane));
      });
    }
    return normals;
  }
}

/**
 * The unit vector, in axes of the scene, along which a density falls fastest.
 *
 * @param {(point: Vector) => Vector} warp
 * @param {Vector} place in the scene
 * @param {number[]} gradient of the density, in the cube
 */
export function normalAt(warp, place, gradient) {
  const step = STEP * Math.max(1e-3, Math.hypot(...place));
  const normal = [0, 1, 2].map((axis) => {
    /** @param {number} by */
    const moved = (by) => warp(/** @type {Vector} */ (place.map((x, i) => (i === axis ? x + by : x))));
    const [ahead, behind] = [moved(step), moved(-step)];
    return ahead.reduce((sum, x, i) => sum - (gradient[i] * (x - behind[i])) / (2 * step), 0);
  });
  const length = Math.hypot(...normal) || 1;
  return normal.map((x) => x / length);
}
