/** What can be shown of a scene, and as which colours: as `sinenerf render` does. */

/** @typedef {"rgb" | "depth" | "accumulation" | "normals"} Output */

export const OUTPUTS = /** @type {const} */ (["rgb", "depth", "accumulation", "normals"]);
/** Numbers of a pixel: colour, depth, accumulation, normal. */
export const VALUES = 8;

const SMALLEST_RANGE = 1e-12;
/** Accumulation from which a pixel counts for the range of nearness. */
const FULL = 0.5;

/** @param {number} depth */
const nearness = (depth) => 1 / Math.max(1e-6, depth);

/** The least and the greatest nearness of a picture's pixels that are not empty, which are shown as black and white. @param {Float32Array} values @returns {[number, number]} */
export function nearnessRange(values) {
  let [low, high] = [Infinity, 0];
  for (let at = 3; at < values.length; at += VALUES) {
    if (values[at + 1] < FULL) continue; // its depth says nothing
    low = Math.min(low, nearness(values[at]));
    high = Math.max(high, nearness(values[at]));
  }
  return high === 0 ? [1e6, 2e6] : [low, Math.max(high, low + SMALLEST_RANGE)]; // all black where all is empty
}

/**
 * @param {Float32Array} values of some pixels
 * @param {Output} output
 * @param {[number, number]} range of nearness
 * @param {Uint8ClampedArray} pixels red, green, blue and opacity of each
 */
export function paintPixels(values, output, [low, high], pixels) {
  for (let at = 0, to = 0; to < pixels.length; at += VALUES, to += 4) {
    const accumulation = values[at + 4];
    const grey = output === "depth" ? (accumulation * (nearness(values[at + 3]) - low)) / (high - low) : accumulation;
    for (let i = 0; i < 3; i++) {
      const x = output === "rgb" ? values[at + i] : output === "normals" ? (1 + values[at + 5 + i]) / 2 : grey;
      pixels[to + i] = 255 * x; // rounded and bounded by the array
    }
    pixels[to + 3] = 255;
  }
}
