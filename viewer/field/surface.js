/**
 * The surface of an occupancy field, coarse to fine: only cells near it are evaluated, then marching cubes.
 *
 * The search follows sinenerf/occupancy/surface_grid.py: coarse cells are split where their corners lie on both sides
 * of the level, or where the slope between corners could bring the surface into the cell; on the finest grid the
 * surface is followed through the faces of cells.
 */

import { edgeTable, triTable } from "three/addons/objects/MarchingCubes.js";

/** @typedef {{ positions: Float32Array, indices: Uint32Array }} Mesh positions (v, 3) in the cube; indices (f, 3) */

/** A field without a surface at its level, or one that is noise. */
export class SurfaceError extends Error {}

const COARSE = 32; // cells a side of the first search
const SMALLEST = 1e-3; // distance from the level, in logits, so that no vertex lies on another in float32
const MOST_CELLS = 96; // near the surface, for each cell of one face of the cube: beyond, a field is noise
/** Corners in the order of the tables: around the lower face, then around the upper. */
const CORNERS = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]];
/** Twelve edges as (corner, axis), from the corner along the axis. */
const EDGES = [[0, 0], [1, 1], [3, 0], [0, 1], [4, 0], [5, 1], [7, 0], [4, 1], [0, 2], [1, 2], [2, 2], [3, 2]];
/** The corner at the other end of each edge. */
const ENDS = EDGES.map(([corner, axis]) => {
  const end = CORNERS[corner].map((tick, i) => (i === axis ? 1 : tick));
  return CORNERS.findIndex((other) => other.every((tick, i) => tick === end[i]));
});
const NEIGHBOURS = [[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]];
/** The corners of the face towards each neighbour, as bits. */
const FACE_BITS = [0b10011001, 0b01100110, 0b00110011, 0b11001100, 0b00001111, 0b11110000];

/** The vertices of the finest grid; those that were asked for have a value, logit minus threshold. */
export class SurfaceGrid {
  /**
   * @param {(points: Float32Array) => Float32Array} evaluate logits at (n, 3) points of the cube
   * @param {number} resolution cells a side of the finest grid, a power of two of at least 32
   * @param {number} [level] occupancy of the surface, between 0 and 1
   */
  constructor(evaluate, resolution, level = 0.5) {
    this.evaluate = evaluate;
    this.resolution = resolution;
    this.threshold = Math.log(level / (1 - level));
    this.side = resolution + 1;
    this.values = new Float32Array(this.side ** 3); // 0: not evaluated yet. Untouched pages take no memory
    this.corner = CORNERS.map(([x, y, z]) => (x * this.side + y) * this.side + z);
    this.lowest = Infinity;
  }

  /**
   * The mesh with `cells` cells a side. What an earlier, coarser one evaluated is used again.
   *
   * @param {number} cells a power of two, from 32 to the finest
   * @returns {Mesh}
   * @throws {SurfaceError} no surface at the level, or noise
   */
  mesh(cells) {
    const stride = this.resolution / cells;
    const found = this.#follow(this.#search(stride), stride);
    if (!found.length || this.lowest > 0) throw new SurfaceError("has no surface at this level");
    return this.#marchingCubes(found, stride);
  }

  /** Cells of a stride that lie near the surface, by their lowest corner. @param {number} stride */
  #search(stride) {
    let step = Math.max(stride, this.resolution / COARSE);
    let cells = this.#allCells(step);
    this.#know(cells, step);
    while (step > stride) {
      cells = cells.filter((cell) => this.#isNear(cell, step));
      this.#checkCount(cells.length, step);
      step /= 2;
      const split = new Int32Array(8 * cells.length);
      for (let i = 0; i < split.length; i++) split[i] = cells[i >> 3] + step * this.corner[i & 7];
      cells = split;
      this.#know(cells, step);
    }
    return cells;
  }

  /** @param {number} step */
  #allCells(step) {
    const count = this.resolution / step;
    const cells = new Int32Array(count ** 3);
    let next = 0;
    for (let x = 0; x < count; x++) {
      for (let y = 0; y < count; y++) {
        for (let z = 0; z < count; z++) cells[next++] = ((x * this.side + y) * this.side + z) * step;
      }
    }
    return cells;
  }

  /** Evaluate the corners of cells where they are not known. @param {Int32Array} cells @param {number} step */
  #know(cells, step) {
    const missing = new Int32Array(Math.min(8 * cells.length, this.values.length));
    let count = 0;
    for (const cell of cells) {
      for (let i = 0; i < 8; i++) {
        const key = cell + step * this.corner[i];
        if (this.values[key] !== 0) continue;
        this.values[key] = NaN; // asked for
        missing[count++] = key;
      }
    }
    const points = new Float32Array(3 * count);
    for (let i = 0; i < count; i++) this.#place(missing[i], points, 3 * i);
    const logits = this.evaluate(points);
    for (let i = 0; i < count; i++) {
      let value = logits[i] - this.threshold;
      if (Number.isNaN(value)) throw new SurfaceError("is not a number somewhere: it was not trained to the end");
      if (value < this.lowest) this.lowest = value;
      const [x, y, z] = [points[3 * i], points[3 * i + 1], points[3 * i + 2]];
      const isWall = Math.max(Math.abs(x), Math.abs(y), Math.abs(z)) >= 1;
      if (isWall) value = Math.min(value, -1e-3); // the wall of the cube counts as just outside
      this.values[missing[i]] = Math.abs(value) < SMALLEST ? (value > 0 ? SMALLEST : -SMALLEST) : value;
    }
  }

  /** Write where a vertex lies in the cube [-1, 1]^3. @param {number} key @param {Float32Array} target @param {number} at */
  #place(key, target, at) {
    target[at] = (2 * Math.floor(key / this.side ** 2)) / this.resolution - 1;
    target[at + 1] = (2 * (Math.floor(key / this.side) % this.side)) / this.resolution - 1;
    target[at + 2] = (2 * (key % this.side)) / this.resolution - 1;
  }

  /** @param {number} cell @param {number} step */
  #isNear(cell, step) {
    const bits = this.#case(cell, step);
    if (bits !== 0 && bits !== 255) return true;
    let nearest = Infinity;
    for (let i = 0; i < 8; i++) nearest = Math.min(nearest, Math.abs(this.values[cell + step * this.corner[i]]));
    for (let edge = 0; edge < 12; edge++) {
      const from = this.values[cell + step * this.corner[EDGES[edge][0]]];
      const to = this.values[cell + step * this.corner[ENDS[edge]]];
      if (nearest <= 1.5 * Math.abs(from - to)) return true;
    }
    return false;
  }

  /** @param {number} cell @param {number} step */
  #case(cell, step) {
    let bits = 0;
    for (let i = 0; i < 8; i++) if (this.values[cell + step * this.corner[i]] > 0) bits |= 1 << i;
    return bits;
  }

  /** The crossed cells among these, and all that the surface reaches from them. @param {Int32Array} cells @param {number} step */
  #follow(cells, step) {
    /** @type {number[]} */
    const found = [];
    const seen = new Set();
    let next = Array.from(cells);
    while (next.length) {
      this.#know(Int32Array.from(next), step);
      const behind = new Set();
      for (const cell of next) {
        seen.add(cell);
        const bits = this.#case(cell, step);
        if (bits === 0 || bits === 255) continue;
        found.push(cell);
        for (let side = 0; side < 6; side++) {
          const inFace = bits & FACE_BITS[side];
          if (inFace === 0 || inFace === FACE_BITS[side]) continue;
          const neighbour = this.#neighbour(cell, side, step);
          if (neighbour >= 0 && !seen.has(neighbour)) behind.add(neighbour);
        }
      }
      this.#checkCount(found.length, step);
      next = [...behind].filter((cell) => !seen.has(cell));
    }
    return found;
  }

  /** The cell behind a face, or -1 outside the cube. @param {number} cell @param {number} face @param {number} step */
  #neighbour(cell, face, step) {
    const neighbour = NEIGHBOURS[face];
    const last = this.resolution - step;
    const z = (cell % this.side) + step * neighbour[2];
    const y = (Math.floor(cell / this.side) % this.side) + step * neighbour[1];
    const x = Math.floor(cell / this.side ** 2) + step * neighbour[0];
    return Math.min(x, y, z) < 0 || Math.max(x, y, z) > last ? -1 : (x * this.side + y) * this.side + z;
  }

  /** @param {number} cells @param {number} step */
  #checkCount(cells, step) {
    if (cells > MOST_CELLS * (this.resolution / step) ** 2) throw new SurfaceError("is noise: it has no clear surface");
  }

  /** @param {number[]} cells @param {number} step @returns {Mesh} */
  #marchingCubes(cells, step) {
    /** @type {number[]} */
    const positions = [];
    /** @type {number[]} */
    const indices = [];
    /** @type {Map<number, number>} */
    const vertexOfEdge = new Map();
    const strides = [this.side ** 2, this.side, 1];
    const point = new Float32Array(3);
    /** @param {number} cell @param {number} edge */
    const vertex = (cell, edge) => {
      const [corner, axis] = EDGES[edge];
      const from = cell + step * this.corner[corner];
      const key = 3 * from + axis;
      const known = vertexOfEdge.get(key);
      if (known !== undefined) return known;
      const [a, b] = [this.values[from], this.values[from + step * strides[axis]]];
      this.#place(from, point, 0);
      point[axis] += ((2 * step) / this.resolution) * (a / (a - b));
      const index = positions.length / 3;
      positions.push(point[0], point[1], point[2]);
      vertexOfEdge.set(key, index);
      return index;
    };
    for (const cell of cells) {
      // the tables call what is below the level inside, and turn its faces outward
      const bits = this.#case(cell, step) ^ 255;
      if (!edgeTable[bits]) continue;
      for (let i = 16 * bits; triTable[i] >= 0; i += 3) {
        indices.push(vertex(cell, triTable[i]), vertex(cell, triTable[i + 1]), vertex(cell, triTable[i + 2]));
      }
    }
    return { positions: Float32Array.from(positions), indices: Uint32Array.from(indices) };
  }
}
