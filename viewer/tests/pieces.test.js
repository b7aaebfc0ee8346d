import assert from "node:assert/strict";
import { test } from "node:test";

import { largestPieces } from "../field/pieces.js";

/** A strip of triangles over vertices first, first + 1, ... @param {number} first @param {number} faces */
const strip = (first, faces) => Array.from({ length: faces }, (_, i) => [first + i, first + i + 1, first + i + 2]).flat();

const positions = Float32Array.from({ length: 3 * 20 }, (_, i) => i);
const indices = Uint32Array.from([...strip(0, 2), ...strip(4, 5), ...strip(11, 1), ...strip(14, 4)]);

test("the pieces with the most faces are kept, and their vertices alone", () => {
  const { positions: places, indices: faces } = largestPieces({ positions, indices }, 2);
  assert.equal(faces.length, 27);
  assert.equal(places.length, 3 * (7 + 6));
  const corners = [...faces].map((vertex) => places[3 * vertex] / 3);
  assert.deepEqual(corners, [...strip(4, 5), ...strip(14, 4)]);
});

test("a surface of few pieces is left as it is", () => {
  const mesh = { positions, indices };
  for (const count of [4, 7]) assert.equal(largestPieces(mesh, count).indices, indices);
});
