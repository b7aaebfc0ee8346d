/** What the headers of shapes and scenes share. */

import { SineFileError } from "./container.js";

/** @typedef {"sine" | "low-rank" | "dense"} LayerKind */

/** @type {LayerKind[]} */
export const LAYERS = ["sine", "low-rank", "dense"];

/**
 * How many rows of V an anchored layer fixes: k, or none where that would be all of them.
 *
 * @param {number} rank
 * @param {number} inputs
 */
export const anchoredRows = (rank, inputs) => (rank < inputs ? rank : 0);

/**
 * A header's float32 as the nearest decimal of seven digits: 0.1, where float64 would make 0.10000000149 of it.
 *
 * @param {number} value
 */
export const short = (value) => (Number.isFinite(value) ? Number(value.toPrecision(7)) : value);

/**
 * @param {Record<string, any>} config
 * @param {Record<string, [low: number, high: number]>} bounds
 */
export function checkBounds(config, bounds) {
  for (const [name, [low, high]] of Object.entries(bounds)) {
    if (!(config[name] >= low && config[name] <= high)) {
      throw new SineFileError(`is damaged: ${name} is ${config[name]}, beyond the format's bounds of ${low} and ${high}`);
    }
  }
}
