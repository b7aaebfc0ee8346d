/** How networks are arranged for workgroups of a GPU. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { WeightBuffer, arrangementOf } from "../gpu/arrangement.js";

/** @param {number} outputs @param {number} inputs */
const layerOf = (outputs, inputs) => ({
  outputs, inputs, weight: Float32Array.from({ length: outputs * inputs }, (_, i) => i + 1),
  bias: Float32Array.from({ length: outputs }, (_, i) => -i - 1),
});

/** @param {number} width @param {number} octaves @param {number} skips */
function trunkOf(width, octaves, skips) {
  const encoded = 3 + 6 * octaves;
  const inputs = width < 2000 ? [encoded, width + (skips & 1 ? encoded : 0)] : [encoded];
  return { layers: inputs.map((count) => layerOf(width, count)), density: layerOf(1, width + (skips & 2 ? encoded : 0)), octaves, skips };
}

test("weights lie in blocks of four outputs, the biases first", () => {
  const weights = new WeightBuffer();
  const first = weights.single(layerOf(3, 2), 0, 1);
  const second = weights.dense(layerOf(5, 3), 7, 1, 2);
  assert.deepEqual({ ...first }, { place: 0, inputs: 2, row: 0, blocks: 1 });
  assert.deepEqual({ ...second }, { place: 2, inputs: 2, row: 7, blocks: 2 });
  assert.deepEqual([...weights.joined()], [
    -2, 0, 0, 0, 3, 4, 0, 0, // one output of the first layer
    -1, -2, -3, -4, -5, 0, 0, 0, 2, 5, 8, 11, 14, 0, 0, 0, 3, 6, 9, 12, 15, 0, 0, 0,
  ]);
});

for (const memory of [16384, 32768, 49152]) {
  test(`networks of any width fit a workgroup of ${memory} bytes, or are refused`, () => {
    for (const width of [1, 2, 16, 31, 64, 130, 224, 256, 300, 2000]) {
      for (const [octaves, skips] of [[0, 0], [10, 0], [10, 3], [24, 1]]) {
        const arrange = () => arrangementOf(trunkOf(width, octaves, skips), new WeightBuffer(), memory);
        if (16 * (width + 150) > memory) assert.throws(arrange, RangeError);
        if (width === 2000) continue; // too wide for all but the largest
        const { lanes, groups, rows, base, layers } = arrange();
        assert.ok(lanes >= 1 && lanes * groups <= 256);
        assert.ok(16 * lanes * (rows + groups) + 4 * lanes + 4 <= memory);
        assert.ok(layers.every(({ blocks, row, inputs }) => blocks <= 2 * groups && row + inputs <= rows && base + 4 * blocks <= rows));
      }
    }
  });
}
