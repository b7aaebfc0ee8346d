/** Baked scenes against the fields that they are baked from. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_BRICKS, bake, closed, layoutOf, voxelsToBake } from "../element/baking.js";
import { BakedScene, brickDistances, voxelsOf } from "../field/baked_volume.js";
import { Baker, FULL } from "../field/baker.js";
import { bakingCameras } from "../field/baking_cameras.js";
import { directionOf, filling } from "../field/camera.js";
import { POINTS } from "../field/layer_engine.js";
import { pointUnwarp, pointWarp, rayWarp } from "../field/warps.js";
import { openScene, poolOf } from "./one_process.js";

/** @typedef {import("../field/warps.js").Vector} Vector */
/** @typedef {import("../field/camera.js").Camera} Camera */

const FOLDER = new URL("../../tests/golden/scenes/", import.meta.url);
/** @type {import("../field/warps.js").Warp[]} */
const WARPS = [
  { kind: "ndc", tanX: 0.6, tanY: 0.45, near: 1 },
  { kind: "box", centre: [0.5, 0, -1], half: [2, 1, 2], near: 0.1 },
  { kind: "contraction", centre: [0.5, 0, -1], radius: 1.5, near: 0.2 },
];

/** @param {{ render: import("../field/ray_marcher.js").RayMarcher["render"] }} renderer @param {Camera} camera */
function pictureOf(renderer, camera) {
  const { width, height } = camera.lens;
  const directions = Array.from({ length: width * height }, (_, i) => directionOf(camera, i % width, Math.floor(i / width)));
  return renderer.render(/** @type {Vector} */ (camera.position), directions);
}

/** @param {Float32Array} a @param {Float32Array} b */
const decibels = (a, b) => -10 * Math.log10(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / a.length);

for (const [name, least] of /** @type {const} */ ([["proposal", 34], ["contraction", 28]])) {
  test(`${name}: a baked scene looks like its field`, async () => {
    const { marcher, pool, scene } = await openScene(new URL(`${name}.sine`, FOLDER));
    const home = bakingCameras(scene)[0];
    const camera = { ...home, lens: filling(home.lens, 24, 18) };
    const exact = pictureOf(marcher, camera);
    const found = [];
    for (const bricks of [500, 6000]) {
      /** @type {import("../field/baked_volume.js").Baked[]} */
      const levels = [];
      await bake(pool, (baked) => levels.push(baked), bricks);
      assert.ok(levels.length >= 2 && levels.every(({ layout, values }) => values.length === 4 * voxelsOf(layout).reduce((a, b) => a * b)));
      const seen = pictureOf(new BakedScene(/** @type {any} */ (levels.at(-1)), scene.warp, scene.background), camera);
      found.push(decibels(seen.colour, exact.colour));
    }
    assert.ok(found[0] > 25 && found[1] > least, `${found} dB`);
  });
}

/** @type {import("../field/warps.js").Warp} */
const ROOM = { kind: "contraction", centre: [0, 0, 0], radius: 1, near: 0.3 };

/** A ball on the floor of a room, under the sky that is seen through a window. @param {Vector} point of the scene */
function roomAt([x, y, z]) {
  const isBall = Math.hypot(x, y, z) < 0.6;
  const isFloor = z < -0.6;
  const isWall = Math.max(Math.abs(x), Math.abs(y)) > 6 && !(z > 0 && Math.abs(y) < x);
  const shade = (/** @type {number} */ angle) => 0.5 + 0.3 * Math.sin(angle);
  const sky = [0.6, shade((3 * z) / Math.hypot(x, y, z)), 0.9];
  const colour = isBall ? [0.9, shade(5 * z), 0.1] : isFloor ? [shade(2 * x), 0.6, 0.3] : isWall ? [0.2, shade(y + z), 0.7] : sky;
  return { density: isBall || isFloor || isWall ? 300 : 0, colour };
}

/** The room in place of a scene's networks. */
function roomNetwork() {
  const [points, result, directions, colours] = [3, 4, 3, 4].map((rows) => new Float32Array(rows * POINTS));
  const unwarp = pointUnwarp(ROOM);
  const each = (/** @type {(lane: number, found: ReturnType<typeof roomAt>) => void} */ take) => {
    for (let lane = 0; lane < POINTS; lane++) take(lane, roomAt(unwarp([points[lane], points[lane + POINTS], points[lane + 2 * POINTS]])));
  };
  return {
    attached: () => ({ points, result, directions, colours }),
    evaluate: () => each((lane, { density }) => (result[lane] = density)),
    evaluateColour: () => each((lane, { colour }) => colour.forEach((x, axis) => (colours[lane + axis * POINTS] = x))),
  };
}

/** The room as a scene, with a marcher through it and the cameras around it. */
async function openRoom() {
  const { marcher } = await openScene(new URL("contraction.sine", FOLDER));
  const network = roomNetwork();
  const config = { ...marcher.config, coarseSamples: 64, fineSamples: 32 };
  Object.assign(marcher, { config, warped: rayWarp(ROOM), first: network, second: network });
  const s = Math.sqrt(1 / 5);
  const lens = { fx: 20, fy: 20, cx: 16, cy: 12, width: 32, height: 24 };
  const capture = /** @type {any} */ ({ rotation: [0, -s, 2 * s, 1, 0, 0, 0, 2 * s, s], position: [2, 0, 1], focus: Math.sqrt(5), lens, radii: [2, 1, 1] });
  return { marcher, capture, config, cameras: bakingCameras({ capture, warp: ROOM }) };
}

test("no light passes infinity, and all of it passes what lies before", async () => {
  const { marcher, cameras, capture, config } = await openRoom();
  const layout = layoutOf({ capture, warp: ROOM, background: config.background }, cameras, 40_000);
  marcher.config = { ...config, fineSamples: 8 }; // the last of which is long
  const { seen, full } = new Baker(marcher, ROOM).mark(layout, cameras[4], 0, 12);
  const reach = [...full].map((brick) => {
    const place = [brick % layout.bricks[0], Math.floor(brick / layout.bricks[0]) % layout.bricks[1], Math.floor(brick / layout.bricks[0] / layout.bricks[1])];
    return Math.max(...place.map((x, axis) => Math.abs(layout.low[axis] + (x + 0.5) * layout.brick[axis])));
  });
  assert.ok(seen.length > 100 && full.length > 10 && Math.min(...reach) > 1 - layout.brick[0], `${seen.length} ${full.length} ${Math.min(...reach)}`);
});

test("a room under the sky is seen from all sides, and the better the more cells it has", async () => {
  const { marcher, capture, config, cameras } = await openRoom();
  assert.equal(cameras.length, 8);
  for (const { position } of cameras) {
    assert.ok(Math.abs(Math.hypot(...position) - capture.focus) < 1e-6 && position[2] > 0.4, `${position}`); // above the floor
  }
  const views = [0, 3, 5].map((index) => ({ camera: cameras[index], exact: pictureOf(marcher, cameras[index]).colour }));
  /** @type {number[]} */
  const found = [];
  await bake(poolOf(marcher, { capture, warp: ROOM, config }), (baked) => {
    const renderer = new BakedScene(baked, ROOM, config.background);
    found.push(Math.min(...views.map(({ camera, exact }) => decibels(pictureOf(renderer, camera).colour, exact))));
  }, 40_000);
  assert.ok(found.length >= 3 && found[0] > 17 && found[1] > found[0] && found[2] > Math.max(23, found[1]), `${found} dB`);
});

test("a solid ball has its depth, its colour and its normals, whatever lies empty around it", () => {
  const layout = { low: [-1.2, -1.2, -1.2], brick: [0.1, 0.1, 0.1], bricks: [24, 24, 24], cells: 3 };
  const [centre, radius] = [[0.1, -0.2, 0.05], 0.4]; // in the cube
  const [nx, ny, nz] = voxelsOf(layout);
  const values = new Uint8Array(4 * nx * ny * nz);
  /** @param {number[]} place in bricks @param {number} margin */
  const isInside = (place, margin) => Math.hypot(...place.map((x, i) => layout.low[i] + 0.1 * x - centre[i])) < radius + margin;
  for (let voxel = 0; voxel < nx * ny * nz; voxel++) {
    const place = [voxel % nx, Math.floor(voxel / nx) % ny, Math.floor(voxel / nx / ny)].map((i) => i / 3);
    if (isInside(place, 0)) values.set([255, 51, 0, 255], 4 * voxel);
  }
  const distances = brickDistances(layout.bricks, (brick) =>
    isInside([(brick % 24) + 0.5, (Math.floor(brick / 24) % 24) + 0.5, Math.floor(brick / 576) + 0.5], 0.1));
  const ball = new BakedScene({ layout, values, distances }, WARPS[1], "white");
  const middle = /** @type {Vector} */ (centre.map((x, i) => 2 * x + [0.5, 0, -1][i])); // in the scene
  for (const offset of /** @type {Vector[]} */ ([[0, 0, 6], [5, 0.5, 1], [-3, -4, 2]])) {
    const origin = /** @type {Vector} */ (middle.map((x, i) => x + offset[i]));
    const distance = Math.hypot(...offset);
    const towards = /** @type {Vector} */ (offset.map((x) => -x / distance));
    const seen = ball.render(origin, [towards, /** @type {Vector} */ (towards.map((x) => -x))], true);
    assert.ok(Math.abs(seen.depth[0] - (distance - 2 * radius)) < 0.15, `${seen.depth}`);
    [1, 0.2, 0].forEach((x, i) => assert.ok(Math.abs(seen.colour[i] - x) < 0.02, `${seen.colour}`));
    assert.ok(seen.normals && towards.reduce((sum, x, i) => sum - x * (seen.normals?.[i] ?? 0), 0) > 0.9, `${seen.normals}`);
    assert.deepEqual([...seen.colour.subarray(3)], [1, 1, 1]); // away from the ball: the background
    assert.equal(seen.accumulation[1], 0);
  }
});

test("distances of bricks are those of a search through all of them", () => {
  const bricks = [7, 5, 20];
  const occupied = new Set([3, 120, 500]);
  /** @param {number} brick */
  const place = (brick) => [brick % 7, Math.floor(brick / 7) % 5, Math.floor(brick / 35)];
  brickDistances(bricks, (brick) => occupied.has(brick)).forEach((rings, brick) => {
    const all = [...occupied].map((other) => Math.max(...place(other).map((x, axis) => Math.abs(x - place(brick)[axis]))));
    assert.equal(rings, Math.min(15, ...all));
  });
});

test("only voxels of marked bricks are evaluated, each once, for the cameras that see a brick beside them", () => {
  const layout = { low: [0, 0, 0], brick: [1, 1, 1], bricks: [3, 2, 2], cells: 2 };
  const bricks = new Uint16Array(12);
  bricks[0] = 0b10010 | FULL;
  bricks[1] = 0b00100;
  const { voxels, marks } = voxelsToBake(layout, bricks);
  assert.equal(voxels.length, 5 * 3 * 3);
  assert.equal(new Set(voxels).size, voxels.length);
  assert.deepEqual([...marks.subarray(0, 5)], [0b10010 | FULL, 0b10010 | FULL, 0b10110, 0b00100, 0b00100]);
});

test("a brick that rays have missed is seen by the cameras that see those around it", () => {
  const layout = { low: [0, 0, 0], brick: [1, 1, 1], bricks: [4, 3, 2], cells: 1 };
  const marks = new Uint16Array(24);
  for (const [x, y, mark] of [[0, 1, 1], [2, 1, 2], [1, 0, 4 | FULL]]) marks[x + 4 * y] = mark;
  const found = closed(layout, marks);
  assert.equal(found[1 + 4], 7); // three of its neighbours are seen
  assert.equal(found.reduce((sum, mark) => sum + Number(mark > 0), 0), 4);
});

test("memory is bounded for any capture", () => {
  for (const warp of WARPS) {
    for (const reach of [0, 1e-3, 1, 1e4, 1e9]) {
      const lens = { fx: 9, fy: 9, cx: 8, cy: 6, width: 16, height: 12 };
      const capture = /** @type {any} */ ({ rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1], position: [0, 0, 0], focus: 1 + reach, lens, radii: [reach, reach, reach] });
      const scene = { capture, warp, background: /** @type {const} */ ("black") };
      const { bricks, low, brick } = layoutOf(scene, bakingCameras(scene), MOST_BRICKS);
      assert.ok(bricks.every((count) => count >= 1) && [...low, ...brick].every(Number.isFinite), `${warp.kind} ${reach}`);
      assert.ok(bricks.reduce((product, count) => product * count) <= MOST_BRICKS);
      assert.ok(4 * voxelsOf({ low, brick, bricks, cells: 4 }).reduce((product, count) => product * count) < 5.5e7);
    }
  }
});

test("points of the cube lie where their warp takes them from", () => {
  for (const warp of WARPS) {
    for (const point of /** @type {Vector[]} */ ([[0.2, -0.3, -2], [4, 1, -9], [-0.5, 0.1, -1.5]])) {
      const back = pointUnwarp(warp)(pointWarp(warp)(point));
      point.forEach((x, axis) => assert.ok(Math.abs(x - back[axis]) < 1e-6 * Math.hypot(...point), `${warp.kind} ${back}`));
    }
  }
});
