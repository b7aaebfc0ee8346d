/**
 * What baking a scene costs, for each level that a fast machine bakes: decibels between baked and exact pictures from home,
 * from another camera that it is baked for, and from between two of them.
 *
 *     node tests/measure_baking.js FILE [WIDTH]
 */

import { BakedScene } from "../field/baked_volume.js";
import { bakingCameras, lookingAt } from "../field/baking_cameras.js";
import { directionOf, filling, focusOf, upOf } from "../field/camera.js";
import { bake } from "../element/baking.js";
import { openScene } from "./one_process.js";

const [path, width = "100"] = process.argv.slice(2);
const { marcher, pool, scene } = await openScene(path);
const all = bakingCameras(scene);
const middle = all[1].position.map((x, axis) => (x + all[2].position[axis]) / 2);
const between = { ...all[1], position: middle, rotation: lookingAt(middle, focusOf(scene.capture), upOf(scene)) };
const views = [all[0], all[3], between].map((camera) => {
  const { lens } = camera;
  return { ...camera, lens: filling(lens, Number(width), Math.round((Number(width) * lens.height) / lens.width)) };
});

/** @param {{ render: import("../field/ray_marcher.js").RayMarcher["render"] }} renderer @param {import("../field/camera.js").Camera} camera */
function picture(renderer, camera) {
  const rows = Array.from({ length: camera.lens.height }, (_, y) => {
    const directions = Array.from({ length: camera.lens.width }, (_, x) => directionOf(camera, x, y));
    return renderer.render(/** @type {any} */ (camera.position), directions).colour;
  });
  return rows.flatMap((row) => [...row]);
}

const exact = views.map((view) => picture(marcher, view));
const started = performance.now();
const fast = { ...pool, bake: async (/** @type {any} */ request) => ({ ...(await pool.bake(request)), milliseconds: 0 }) };
await bake(fast, (baked, isLast) => {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const renderer = new BakedScene(baked, scene.warp, scene.background);
  const decibels = views.map((view, index) => {
    const found = picture(renderer, view);
    const error = found.reduce((sum, x, i) => sum + (x - exact[index][i]) ** 2, 0) / found.length;
    return (-10 * Math.log10(error)).toFixed(1);
  });
  const { bricks, cells } = baked.layout;
  const occupied = baked.distances.reduce((sum, rings) => sum + Number(rings === 0), 0);
  const megabytes = ((baked.values.length + baked.distances.length) / 1e6).toFixed(1);
  console.log(`${cells} cells: ${seconds} s, ${bricks.join("x")} bricks, ${occupied} occupied, ${megabytes} MB, ${decibels.join(" ")} dB${isLast ? ", last" : ""}`);
});
