/**
 * Bakes a scene in the workers, coarse to fine: the bricks that cameras around the home view see, then the voxels of
 * these bricks with more and more cells. The last level is the finest that the time allows.
 */

import { brickDistances, voxelsOf } from "../field/baked_volume.js";
import { FULL } from "../field/baker.js";
import { directionOf, resized } from "../field/camera.js";
import { bakingCameras } from "../field/baking_cameras.js";
import { rayWarp } from "../field/warps.js";

/** @typedef {import("../field/baked_volume.js").Layout} Layout */
/** @typedef {import("../field/baked_volume.js").Baked} Baked */
/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {import("./scene_worker.js").Scene} Scene */

const SIDE = 80; // rays along the longer side of each camera's picture
const WIDER = 1.4; // what is seen around a focus, as a multiple of home's picture: a person may look elsewhere
const RAYS = 400; // of a worker's turn
const VOXELS = 4096; // of a worker's turn
const LEVELS = [1, 2]; // cells along a brick's edge
const FINEST = [4, 3]; // of which the last level has the first that takes less than
const SECONDS = 7;
const NEIGHBOURS = 3; // of six, which make a brick between them seen
export const MOST_BRICKS = 180_000; // with 4 cells along each edge, the volume has at most 50 MB
const [ACROSS, DEEP] = [1 / 40, 1 / 12]; // edges of a brick in NDC, at least: the depth of its cube is seen less finely

/**
 * @param {import("./render_pool.js").RenderPool} pool
 * @param {(baked: Baked, isLast: boolean) => void} report called for each level
 * @param {number} [mostBricks]
 */
export async function bake(pool, report, mostBricks = MOST_BRICKS) {
  const scene = await pool.scene;
  const cameras = bakingCameras(scene).map((camera) => ({ ...camera, lens: small(camera.lens, scene.warp.kind === "ndc" ? 1 : WIDER) }));
  const layout = layoutOf(scene, cameras, mostBricks);
  const marks = closed(layout, await marksOf(pool, layout, cameras));
  const distances = brickDistances(layout.bricks, (brick) => marks[brick] !== 0);
  const positions = cameras.map(({ position }) => position);
  const levels = [...LEVELS];
  for (let cells = levels.shift(); cells; cells = levels.shift()) {
    const size = cells;
    const level = voxelsToBake({ ...layout, cells }, marks);
    const { values, seconds } = await evaluated(pool, level, positions);
    if (cells === LEVELS.at(-1)) levels.push(...FINEST.filter((finer) => seconds * (finer / size) ** 3 < SECONDS).slice(0, 1));
    report({ layout: level.layout, values, distances }, !levels.length);
  }
}

/** A lens with few pixels, which sees more. @param {import("../decoder/radiance.js").Lens} lens @param {number} wider */
function small(lens, wider) {
  const [cx, cy] = [lens.width, lens.height].map((length, i) => length / 2 + ((i ? lens.cy : lens.cx) - length / 2) / wider);
  const scale = (SIDE * wider) / Math.max(lens.width, lens.height);
  const [width, height] = [lens.width, lens.height].map((length) => Math.max(1, Math.round(scale * length)));
  return resized({ ...lens, fx: lens.fx / wider, fy: lens.fy / wider, cx, cy }, width, height);
}

/** Bricks for all that the cameras see. @param {Scene} scene @param {Camera[]} cameras @param {number} mostBricks @returns {Layout} */
export function layoutOf({ warp }, cameras, mostBricks) {
  const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
  const warped = rayWarp(warp);
  const point = new Float32Array(3);
  for (const camera of cameras) {
    const [x, y, z] = camera.position;
    for (const [row, column] of [0, 0.5, 1].flatMap((v) => [0, 0.5, 1].map((u) => [v * (camera.lens.height - 1), u * (camera.lens.width - 1)]))) {
      const ray = warped([x, y, z], directionOf(camera, column, row));
      if (ray.between(0, 1) === 0) continue; // it misses the box
      for (let step = 0; step <= 8; step++) {
        ray.place(step / 8, point, 0, 1);
        point.forEach((p, axis) => {
          low[axis] = Math.min(low[axis], p);
          high[axis] = Math.max(high[axis], p);
        });
      }
    }
  }
  const edges = warp.kind === "ndc" ? [ACROSS, (ACROSS * warp.tanX) / warp.tanY, DEEP] : [ACROSS, ACROSS, ACROSS];
  /** @param {number} scale */
  const counts = (scale) => edges.map((edge, axis) => Math.ceil((high[axis] - low[axis]) / (edge * scale)) + 1);
  let scale = 1;
  while (counts(scale).reduce((product, count) => product * count) > mostBricks) scale *= 1.02;
  const brick = edges.map((edge) => edge * scale);
  return { low: low.map((edge, axis) => edge - brick[axis] / 2), brick, bricks: counts(scale), cells: 1 };
}

/**
 * Of each brick a bit for each camera that sees it, and whether it is FULL; 0 where none does.
 *
 * @param {import("./render_pool.js").RenderPool} pool
 * @param {Layout} layout
 * @param {Camera[]} cameras
 */
async function marksOf(pool, layout, cameras) {
  const marks = new Uint16Array(layout.bricks.reduce((product, count) => product * count));
  await Promise.all(cameras.flatMap((camera, index) => {
    const { width, height } = camera.lens;
    const rows = Math.max(1, Math.floor(RAYS / width));
    return Array.from({ length: Math.ceil(height / rows) }, async (_, turn) => {
      const [start, stop] = [turn * rows, Math.min(height, (turn + 1) * rows)];
      const { seen, full } = await pool.bake({ mark: [layout, camera, start, stop] });
      for (const brick of seen) marks[brick] |= 1 << index;
      for (const brick of full) marks[brick] |= (1 << index) | FULL;
    });
  }));
  return marks;
}

/** Marks, and those of bricks between so many others that rays have missed them. @param {Layout} layout @param {Uint16Array} marks */
export function closed({ bricks }, marks) {
  const found = marks.slice();
  const strides = [1, bricks[0], bricks[0] * bricks[1]];
  for (let brick = 0; brick < marks.length; brick++) {
    if (marks[brick]) continue;
    let [count, mark] = [0, 0];
    for (let axis = 0; axis < 3; axis++) {
      const place = Math.floor(brick / strides[axis]) % bricks[axis];
      for (const step of [place > 0 ? -strides[axis] : 0, place < bricks[axis] - 1 ? strides[axis] : 0]) {
        if (!marks[brick + step]) continue;
        count += 1;
        mark = joined(mark, marks[brick + step]);
      }
    }
    if (count >= NEIGHBOURS) found[brick] = mark;
  }
  return found;
}

/** The mark of a voxel between bricks with these: FULL only if none of those that are seen is not. @param {number} a @param {number} b */
const joined = (a, b) => (a && b ? ((a | b) & ~FULL) | (a & b & FULL) : a | b);

/** @param {Layout} layout @param {Uint16Array} marks of its bricks */
export function voxelsToBake(layout, marks) {
  const [nx, ny, nz] = voxelsOf(layout);
  const { bricks, cells } = layout;
  const all = new Uint16Array(nx * ny * nz);
  let count = 0;
  marks.forEach((mark, brick) => {
    if (!mark) return;
    const [x, y] = [brick % bricks[0], Math.floor(brick / bricks[0]) % bricks[1]].map((place) => place * cells);
    const z = Math.floor(brick / (bricks[0] * bricks[1])) * cells;
    for (let dz = 0; dz <= cells; dz++) for (let dy = 0; dy <= cells; dy++) {
      const row = x + nx * (y + dy + ny * (z + dz));
      for (let at = row; at <= row + cells; at++) {
        if (!all[at]) count += 1;
        all[at] = joined(all[at], mark);
      }
    }
  });
  const voxels = new Uint32Array(count);
  for (let at = 0, next = 0; next < count; at++) if (all[at]) voxels[next++] = at;
  return { layout, voxels, marks: Uint16Array.from(voxels, (voxel) => all[voxel]) };
}

/**
 * @param {import("./render_pool.js").RenderPool} pool
 * @param {ReturnType<typeof voxelsToBake>} level
 * @param {number[][]} positions of the cameras
 */
async function evaluated(pool, { layout, voxels, marks }, positions) {
  const values = new Uint8Array(4 * voxelsOf(layout).reduce((product, count) => product * count));
  const words = new Uint32Array(values.buffer);
  let milliseconds = 0;
  const turns = Array.from({ length: Math.ceil(voxels.length / VOXELS) }, async (_, turn) => {
    const range = [turn * VOXELS, (turn + 1) * VOXELS];
    const some = voxels.slice(...range);
    const reply = await pool.bake({ voxels: [layout, some, marks.slice(...range), positions] });
    const found = new Uint32Array(reply.values.buffer);
    some.forEach((voxel, index) => (words[voxel] = found[index]));
    milliseconds += reply.milliseconds;
  });
  await Promise.all(turns);
  return { values, seconds: milliseconds / 1000 / pool.workers.length };
}
