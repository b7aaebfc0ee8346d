/** Outputs as colours. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { VALUES, nearnessRange, paintPixels } from "../element/outputs.js";

/** @param {number[]} accumulations of five pixels whose nearness is 1, 0.5, 0.25, 0.75 and 1.5 */
function depthPicture(accumulations) {
  const values = new Float32Array(VALUES * accumulations.length);
  [1, 0.5, 0.25, 0.75, 1.5].forEach((nearness, i) => values.set([1 / nearness, accumulations[i]], VALUES * i + 3));
  const pixels = new Uint8ClampedArray(4 * accumulations.length);
  paintPixels(values, "depth", nearnessRange(values), pixels);
  return accumulations.map((_, i) => pixels[4 * i]);
}

test("depth is dark where nothing is, as sinenerf render shows it", () => {
  assert.deepEqual(depthPicture([1, 1, 1, 0.5, 0]), [255, 85, 0, 85, 0]);
  assert.deepEqual(depthPicture([0.1, 0.2, 0, 0.3, 0]), [0, 0, 0, 0, 0]);
});
