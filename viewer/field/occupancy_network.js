/** An occupancy field as a dense network, and its logits at points of the cube. */

import { bakedLayer } from "./weights.js";

/** @typedef {import("./weights.js").DenseLayer} DenseLayer */
/** @typedef {{ layers: DenseLayer[], head: DenseLayer, activation: import("../decoder/occupancy.js").Activation,
 *   bandwidth: number }} OccupancyNetwork */

/**
 * @param {import("../decoder/index.js").OccupancyFile} file
 * @returns {OccupancyNetwork}
 */
export function bakedNetwork({ config, tensors }) {
  const { width, depth, activation, bandwidth } = config;
  const gain = hiddenGain(activation, bandwidth);
  const layers = Array.from({ length: depth }, (_, i) =>
    bakedLayer(tensors, `trunk.layers.${i}`, config, i ? width : 3, gain));
  return { layers, head: bakedLayer(tensors, "head", config, width, 1), activation, bandwidth };
}

/**
 * a of Var W = a^2 / inputs between two layers, so that the phase b z keeps its standard deviation.
 *
 * @param {import("../decoder/occupancy.js").Activation} activation
 * @param {number} b bandwidth
 */
function hiddenGain(activation, b) {
  if (activation === "relu") return Math.SQRT2;
  const t = activation === "gaussian" ? 3 : 1;
  const power = activation === "gaussian" ? (1 + 2 * t * t) ** -0.5 : -Math.expm1(-2 * t * t) / 2;
  return t / (b * Math.sqrt(power));
}

/**
 * A network's logits, in plain JavaScript: the reference, and what runs without WebAssembly SIMD.
 *
 * @param {OccupancyNetwork} network
 * @returns {(points: Float32Array) => Float32Array} (n, 3) points of the cube, to n logits; inside is above 0
 */
export function plainEvaluator({ layers, head, activation, bandwidth }) {
  const activate = {
    relu: (/** @type {number} */ z) => Math.max(0, z),
    gaussian: (/** @type {number} */ z) => Math.exp(-0.5 * (bandwidth * z) ** 2),
    sine: (/** @type {number} */ z) => Math.sin(bandwidth * z),
  }[activation];
  const widest = Math.max(3, ...layers.map((layer) => layer.outputs));
  let [from, to] = [new Float32Array(widest), new Float32Array(widest)];
  return (points) => {
    const logits = new Float32Array(points.length / 3);
    for (let n = 0; n < logits.length; n++) {
      from.set(points.subarray(3 * n, 3 * n + 3));
      for (const { outputs, inputs, weight, bias } of layers) {
        for (let row = 0; row < outputs; row++) {
          let z = bias[row];
          for (let i = 0, at = row * inputs; i < inputs; i++) z += weight[at + i] * from[i];
          to[row] = activate(z);
        }
        [from, to] = [to, from];
      }
      let logit = head.bias[0];
      for (let i = 0; i < head.inputs; i++) logit += head.weight[i] * from[i];
      logits[n] = logit;
    }
    return logits;
  };
}
