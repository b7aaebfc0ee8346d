/**
 * Weight matrices from the factors that a file stores: W = sin(omega U V^T) / g, or U V^T, or W itself.
 * See docs/format.md. After baking, a field runs as a plain dense network.
 */

import { anchoredRows } from "../decoder/settings.js";

/** @typedef {Map<string, import("../decoder/tensors.js").Tensor>} Tensors */
/** @typedef {{ outputs: number, inputs: number, weight: Float32Array, bias: Float32Array }} DenseLayer rows first */
/**
 * @typedef {object} LayerSettings
 * @property {import("../decoder/settings.js").LayerKind} layer
 * @property {number} omega
 * @property {number} spread
 * @property {boolean} anchored
 * @property {boolean} paper
 */

/**
 * One layer, baked.
 *
 * @param {Tensors} tensors
 * @param {string} name
 * @param {LayerSettings} settings
 * @param {number} inputs
 * @param {number} gain a of the activation that follows: Var W = a^2 / inputs at the start
 * @returns {DenseLayer}
 */
export function bakedLayer(tensors, name, settings, inputs, gain) {
  const bias = valuesOf(tensors, `${name}.bias`);
  const outputs = bias.length;
  if (tensors.has(`${name}.weight`)) return { outputs, inputs, weight: valuesOf(tensors, `${name}.weight`), bias };
  const U = valuesOf(tensors, `${name}.U`);
  const rank = U.length / outputs;
  const V = wholeV(valuesOf(tensors, `${name}.V`), rank, inputs, settings, gain);
  const weight = new Float32Array(outputs * inputs);
  const omega = tensors.get(`${name}.omega`)?.values[0] ?? settings.omega;
  const scale = tensors.get(`${name}.gain`)?.values[0] ?? initialGain(settings, rank, inputs, gain);
  for (let row = 0; row < outputs; row++) {
    for (let column = 0; column < inputs; column++) {
      let product = 0;
      for (let k = 0; k < rank; k++) product += U[row * rank + k] * V[column * rank + k];
      weight[row * inputs + column] = settings.layer === "sine" ? Math.sin(omega * product) / scale : product;
    }
  }
  return { outputs, inputs, weight, bias };
}

/**
 * g of a layer that does not learn it.
 *
 * @param {LayerSettings} settings
 * @param {number} rank
 * @param {number} inputs
 * @param {number} gain
 */
function initialGain({ paper, spread }, rank, inputs, gain) {
  return paper ? Math.sqrt(inputs) : Math.sqrt(sineVariance(spread, rank) * inputs) / gain;
}

/**
 * E[sin^2 z] of a phase z = omega sum_k u v with normal factors and standard deviation `spread`.
 *
 * @param {number} spread
 * @param {number} rank
 */
function sineVariance(spread, rank) {
  return -0.5 * Math.expm1(-0.5 * rank * Math.log1p((4 * spread ** 2) / rank));
}

/**
 * V with the rows that an anchored layer fixes: c times the identity.
 *
 * @param {Float32Array} stored
 * @param {number} rank
 * @param {number} inputs
 * @param {LayerSettings} settings
 * @param {number} gain
 */
function wholeV(stored, rank, inputs, { layer, omega, spread, anchored, paper }, gain) {
  if (!anchored || !anchoredRows(rank, inputs)) return stored;
  const ofProduct = ((gain * gain * rank) / inputs) ** 0.25;
  const ofSine = paper ? Math.sqrt(1 / 3) : Math.sqrt((spread * Math.sqrt(rank)) / omega);
  const c = layer === "sine" ? ofSine : ofProduct;
  const V = new Float32Array(inputs * rank);
  for (let k = 0; k < rank; k++) V[k * rank + k] = c;
  V.set(stored, rank * rank);
  return V;
}

/**
 * @param {Tensors} tensors
 * @param {string} name
 */
function valuesOf(tensors, name) {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name}`); // the decoder gives all that the header names
  return tensor.values;
}
