/** Normals of surfaces. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { SurfaceGrid } from "../field/surface.js";
import { vertexNormals } from "../field/vertex_normals.js";

test("normals of a ball point outward, as those of three.js do", async () => {
  const { BufferAttribute, BufferGeometry } = await import("three");
  const radius = 0.6;
  const mesh = new SurfaceGrid((points) => Float32Array.from({ length: points.length / 3 }, (_, i) =>
    10 * (radius - Math.hypot(...points.subarray(3 * i, 3 * i + 3)))), 64).mesh(64);
  const normals = vertexNormals(mesh);
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(mesh.positions, 3));
  geometry.setIndex(new BufferAttribute(mesh.indices, 1));
  geometry.computeVertexNormals();
  const expected = geometry.getAttribute("normal").array;
  assert.ok(normals.length > 3000 && normals.every((x, i) => Math.abs(x - expected[i]) < 1e-5));
  assert.ok(normals.every((x, i) => Math.abs(x - mesh.positions[i] / radius) < 0.2));
});
