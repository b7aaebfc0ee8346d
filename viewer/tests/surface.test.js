import assert from "node:assert/strict";
import { test } from "node:test";

import { SurfaceGrid } from "../field/surface.js";

test("no two vertices coincide where the surface passes through grid points", () => {
  // its triangles there shrink to nothing, and a reader that merges equal vertices opens holes
  for (const steepness of [1e-7, 8]) {
    const mesh = new SurfaceGrid((points) => logits(points, steepness), 64).mesh(64);
    const places = new Set();
    for (let i = 0; i < mesh.positions.length; i += 3) places.add(mesh.positions.slice(i, i + 3).join());
    assert.equal(places.size, mesh.positions.length / 3);
  }
});

/** Logits at points (n, 3) of a half of a cube of side 1, cut across a diagonal. @param {Float32Array} points @param {number} steepness */
function logits(points, steepness) {
  return Float32Array.from({ length: points.length / 3 }, (_, i) => {
    const [x, y, z] = points.subarray(3 * i, 3 * i + 3);
    return steepness * (x + y + z) + 50 * Math.min(0, 0.5 - Math.max(Math.abs(x), Math.abs(y), Math.abs(z)));
  });
}
