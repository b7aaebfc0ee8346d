import assert from "node:assert/strict";
import { test } from "node:test";

import { withoutSpecks } from "../field/pieces.js";

/** A strip of triangles over vertices first, first + 1, ... @param {number} first @param {number} faces */
const strip = (first, faces) => Array.from({ length: faces }, (_, i) => [first + i, first + i + 1, first + i + 2]).flat();

const positions = Float32Array.from({ length: 3 * 80 }, (_, i) => i);
const indices = Uint32Array.from([...strip(0, 2), ...strip(4, 25), ...strip(31, 1), ...strip(34, 24)]);

test("the pieces with the most faces are kept, and their vertices alone", () => {
  for (const count of [1, 2]) { // the second is no speck
    const { positions: places, indices: faces } = withoutSpecks({ positions, indices }, count);
    assert.equal(faces.length, 3 * (25 + 24));
    assert.equal(places.length, 3 * (27 + 26));
    const corners = [...faces].map((vertex) => places[3 * vertex] / 3);
    assert.deepEqual(corners, [...strip(4, 25), ...strip(34, 24)]);
  }
});

test("a surface of few pieces is left as it is", () => {
  const mesh = { positions, indices };
  for (const count of [4, 7]) assert.equal(withoutSpecks(mesh, count).indices, indices);
});
