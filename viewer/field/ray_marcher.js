/** Rays of a radiance field: where they are sampled, and what is seen along them. See docs/format.md. */

import { POINTS } from "./layer_engine.js";
import { bakedNetworks } from "./radiance_networks.js";
import { NormalFinder } from "./normals.js";
import { rayWarp } from "./warps.js";

/** @typedef {import("./warps.js").Vector} Vector */
/** @typedef {import("./warps.js").Ray} Ray */
/**
 * Of n rays: colour (n, 3) in [0, 1], distance at which half of the accumulation is reached, accumulation, and unit
 * normals (n, 3) there, if asked for.
 *
 * @typedef {{ colour: Float32Array, depth: Float32Array, accumulation: Float32Array, normals: Float32Array | null }} Seen
 */

export const PADDING = 0.01; // added to each weight, so that every part of a ray may be sampled
export const OPAQUE = 2 ** -10; // the light that is left of a ray when it is followed no further
export const INVISIBLE = 2 ** -12; // the weight below which a sample's colour is not evaluated

export class RayMarcher {
  /** @param {import("../decoder/index.js").RadianceFile} file @param {import("./layer_engine.js").LayerEngine} engine */
  constructor(file, engine) {
    this.config = file.config;
    this.warped = rayWarp(file.warp);
    const [first, second] = bakedNetworks(file, engine);
    this.first = first;
    this.second = second;
    this.normals = new NormalFinder(second, file.warp);
  }

  /**
   * @param {Vector} origin of all rays
   * @param {Vector[]} directions unit vectors
   * @param {boolean} [withNormals]
   * @returns {Seen}
   */
  render(origin, directions, withNormals = false) {
    const { colour, depth, accumulation } = this.#followed(origin, directions, directions).finished();
    const normals = withNormals ? this.normals.find(origin, directions, depth) : null;
    return { colour, depth, accumulation, normals };
  }

  /**
   * Where light is absorbed along rays, without its colour.
   *
   * @param {Vector} origin of all rays
   * @param {Vector[]} directions unit vectors
   */
  trace(origin, directions) {
    return this.#followed(origin, directions, null);
  }

  /** @param {Vector} origin @param {Vector[]} directions @param {Vector[] | null} seenAlong null where no colour is asked for */
  #followed(origin, directions, seenAlong) {
    const rays = directions.map((direction) => this.warped(origin, direction));
    const edges = this.#edges(rays);
    const seen = new Accumulator(rays, edges, this.config.background);
    for (let sample = 0; sample < seen.samples; sample++) {
      const active = seen.active();
      for (let start = 0; start < active.length; start += POINTS) {
        this.#march(seen, seenAlong, active.subarray(start, start + POINTS), sample);
      }
    }
    return seen;
  }

  /** One sample of up to 32 rays. @param {Accumulator} seen @param {Vector[] | null} directions @param {Int32Array} active @param {number} sample */
  #march(seen, directions, active, sample) {
    const { points, result, directions: seenAlong, colours } = this.second.attached();
    active.forEach((ray, lane) => {
      seen.rays[ray].place((seen.edges[ray][sample] + seen.edges[ray][sample + 1]) / 2, points, lane, POINTS);
    });
    this.second.evaluate();
    if (!seen.weigh(active, sample, result) || !directions) return;
    active.forEach((ray, lane) => {
      for (let axis = 0; axis < 3; axis++) seenAlong[lane + axis * POINTS] = directions[ray][axis];
    });
    this.second.evaluateColour();
    seen.add(active, colours);
  }

  /** Edges between the samples of network 1, as fractions of each ray. @param {Ray[]} rays */
  #edges(rays) {
    const { coarseSamples: bins, fineSamples, sampling } = this.config;
    const density = this.#binDensities(rays);
    return rays.map((ray, index) => {
      const weights = weightsOf(density.subarray(index * bins, (index + 1) * bins), ray);
      const finer = histogramEdges(weights, fineSamples);
      return sampling === "proposal" ? finer : merged(finer, bins);
    });
  }

  /** Densities of network 0 in the middles of equal bins. @param {Ray[]} rays */
  #binDensities(rays) {
    const bins = this.config.coarseSamples;
    const count = rays.length * bins;
    const density = new Float32Array(count);
    const { points, result } = this.first.attached();
    for (let start = 0; start < count; start += POINTS) {
      const size = Math.min(POINTS, count - start);
      for (let lane = 0; lane < size; lane++) {
        const place = start + lane;
        rays[Math.floor(place / bins)].place(((place % bins) + 0.5) / bins, points, lane, POINTS);
      }
      this.first.evaluate();
      density.set(result.subarray(0, size), start);
    }
    return density;
  }
}

/** What has been seen along rays, sample after sample. */
class Accumulator {
  /** @param {Ray[]} rays @param {Float64Array[]} edges @param {"last_sample" | "white" | "black"} background */
  constructor(rays, edges, background) {
    const count = rays.length;
    this.rays = rays;
    this.edges = edges;
    this.background = background;
    this.samples = edges[0].length - 1;
    this.light = new Float64Array(count).fill(1); // that is left
    this.colour = new Float32Array(3 * count);
    this.weights = new Float32Array(POINTS); // of the samples at hand
    this.cumulative = Array.from({ length: this.samples }, () => new Float32Array(count).fill(1));
  }

  /** The rays that are not opaque yet. */
  active() {
    const found = new Int32Array(this.rays.length);
    let count = 0;
    for (let ray = 0; ray < found.length; ray++) if (this.light[ray] > OPAQUE) found[count++] = ray;
    return found.subarray(0, count);
  }

  /**
   * Absorb light by the densities of samples.
   *
   * @param {Int32Array} active
   * @param {number} sample
   * @param {Float32Array} density
   * @returns {boolean} whether their colour can be seen
   */
  weigh(active, sample, density) {
    const isLast = sample === this.samples - 1;
    let largest = isLast && this.background === "last_sample" ? 1 : 0;
    active.forEach((ray, lane) => {
      const edges = this.edges[ray];
      const thickness = density[lane] * this.rays[ray].between(edges[sample], edges[sample + 1]);
      const before = this.light[ray];
      this.light[ray] = before * Math.exp(-thickness);
      this.weights[lane] = before - this.light[ray];
      this.cumulative[sample][ray] = 1 - this.light[ray];
      largest = Math.max(largest, this.weights[lane]);
      if (isLast && this.background === "last_sample") this.weights[lane] = before; // it also fills what is left
    });
    return largest > INVISIBLE;
  }

  /** @param {Int32Array} active @param {Float32Array} colours (3, 32) */
  add(active, colours) {
    active.forEach((ray, lane) => {
      for (let axis = 0; axis < 3; axis++) this.colour[3 * ray + axis] += this.weights[lane] * colours[lane + axis * POINTS];
    });
  }

  finished() {
    const { colour, light, background, rays } = this;
    const behind = background === "white" ? 1 : 0; // the last sample's has been added
    for (let i = 0; i < colour.length; i++) colour[i] = Math.max(0, Math.min(1, colour[i] + behind * light[Math.floor(i / 3)]));
    const depth = Float32Array.from(rays, (ray, index) => ray.distance(this.#median(index)));
    return { colour, depth, accumulation: Float32Array.from(light, (left) => 1 - left) };
  }

  /** The fraction at the middle of the sample where half of the accumulation is reached. @param {number} ray */
  #median(ray) {
    const half = (1 - this.light[ray]) / 2;
    let sample = 0;
    while (sample < this.samples - 1 && this.cumulative[sample][ray] < half) sample++;
    return (this.edges[ray][sample] + this.edges[ray][sample + 1]) / 2;
  }
}

/**
 * w_i = T_i (1 - exp(-s_i l_i)), with T_i the light that reaches bin i, of equal bins.
 *
 * @param {Float32Array} density
 * @param {Ray} ray
 */
function weightsOf(density, ray) {
  const weights = new Float64Array(density.length);
  let light = 1;
  for (let i = 0; i < density.length; i++) {
    const after = light * Math.exp(-density[i] * ray.between(i / density.length, (i + 1) / density.length));
    weights[i] = light - after;
    light = after;
  }
  return weights;
}

/**
 * Edges of new samples, at the middles of strata of the cumulative weights of equal bins.
 *
 * @param {Float64Array} weights
 * @param {number} samples
 */
function histogramEdges(weights, samples) {
  const bins = weights.length;
  const total = weights.reduce((sum, weight) => sum + weight + PADDING, 0);
  const edges = new Float64Array(samples + 1);
  let bin = 0;
  let below = 0;
  for (let j = 0; j <= samples; j++) {
    const u = (j + 0.5) / (samples + 1);
    while (bin < bins - 1 && below + (weights[bin] + PADDING) / total <= u) below += (weights[bin++] + PADDING) / total;
    const within = (u - below) / ((weights[bin] + PADDING) / total);
    edges[j] = (bin + Math.max(0, Math.min(1, within))) / bins;
  }
  return edges;
}

/** @param {Float64Array} edges @param {number} bins whose edges are added */
function merged(edges, bins) {
  const all = new Float64Array(edges.length + bins + 1);
  all.set(edges);
  for (let i = 0; i <= bins; i++) all[edges.length + i] = i / bins;
  return all.sort();
}
