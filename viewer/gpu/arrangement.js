/** How a network is arranged for workgroups of a GPU: the place of its weights, and the rows that its features take. */

import { encodedSize } from "../field/radiance_networks.js";
import { inFours } from "../field/layer_engine.js";

/** @typedef {import("../field/weights.js").DenseLayer} DenseLayer */
/** @typedef {import("../field/radiance_networks.js").Trunk} Trunk */
/** @typedef {import("../field/radiance_networks.js").Head} Head */
/** A call of `dense` or `single` of network.wgsl: `place` is that of the weights, in vectors of four.
 * @typedef {{ place: number, inputs: number, row: number, blocks: number }} Call */
/**
 * @typedef {object} Arrangement
 * @property {number} lanes of four samples each, which a workgroup evaluates at once
 * @property {number} groups of threads, each of which has a lane's samples and eight outputs of a layer
 * @property {number} rows of features
 * @property {number} base the row where a layer's outputs begin; those before it keep the encoded position
 * @property {Call[]} layers
 * @property {Call} density
 */

const MOST_LANES = 16;
const MOST_THREADS = 256; // of a workgroup: WebGPU's default limit
const VECTOR = 16; // bytes
const SPARE = 512; // bytes of a workgroup's memory for what is no feature and no sum

/** Weights of several layers, one after the other, in vectors of four. */
export class WeightBuffer {
  /** @type {Float32Array[]} */
  #parts = [];
  #length = 0;

  /** @param {Float32Array} part */
  #add(part) {
    this.#parts.push(part);
    this.#length += part.length;
    return (this.#length - part.length) / 4;
  }

  /**
   * A layer in blocks of four outputs, (1 + inputs, blocks): its biases come first.
   *
   * @param {DenseLayer} layer
   * @param {number} row where its inputs begin
   * @param {number} [first] of the columns of its weights that are taken
   * @param {number} [count] of them
   * @returns {Call}
   */
  dense({ outputs, inputs, weight, bias }, row, first = 0, count = inputs) {
    const stride = inFours(outputs);
    const packed = new Float32Array(stride * (1 + count));
    packed.set(bias);
    for (let output = 0; output < outputs; output++) {
      for (let i = 0; i < count; i++) packed[(1 + i) * stride + output] = weight[output * inputs + first + i];
    }
    return { place: this.#add(packed), inputs: count, row, blocks: stride / 4 };
  }

  /** One output of a layer. @param {DenseLayer} layer @param {number} row @param {number} output @returns {Call} */
  single({ inputs, weight, bias }, row, output) {
    const packed = new Float32Array(4 + inFours(inputs));
    packed[0] = bias[output];
    packed.set(weight.subarray(output * inputs, (output + 1) * inputs), 4);
    return { place: this.#add(packed), inputs, row, blocks: 1 };
  }

  /** @returns {Float32Array<ArrayBuffer>} */
  joined() {
    const all = new Float32Array(this.#length);
    let place = 0;
    for (const part of this.#parts) {
      all.set(part, place);
      place += part.length;
    }
    return all;
  }
}

/**
 * @param {Trunk} trunk
 * @param {WeightBuffer} weights which the layers are added to
 * @param {number} memory bytes of a workgroup
 * @param {number} [rowsOfDirection] rows that the encoded direction needs
 * @returns {Arrangement}
 * @throws {RangeError} the layers are too wide for a workgroup
 */
export function arrangementOf({ layers, density, octaves, skips }, weights, memory, rowsOfDirection = 0) {
  const encoded = encodedSize(octaves);
  const base = skips ? encoded : 0;
  const width = inFours(layers[0].outputs);
  const rows = inFours(Math.max(encoded, base + width, rowsOfDirection));
  const groups = Math.ceil(width / 8);
  const bytes = VECTOR * (rows + groups);
  const lanes = Math.min(MOST_LANES, Math.floor(MOST_THREADS / groups), Math.floor((memory - SPARE) / bytes));
  if (lanes < 1) throw new RangeError("its networks are too wide for this GPU");
  /** Where the inputs begin of the layer that follows `index` layers. @param {number} index */
  const rowOf = (index) => (index === 0 || (skips >> (index - 1)) & 1 ? 0 : base);
  return {
    lanes, groups, rows, base,
    layers: layers.map((layer, index) => weights.dense(layer, rowOf(index))),
    density: weights.single(density, rowOf(layers.length), 0),
  };
}

/**
 * The head of network 1. The part of `view` that depends on the direction is evaluated once for each ray, with the biases.
 *
 * @param {Head} head
 * @param {WeightBuffer} weights
 * @param {Arrangement} arrangement
 */
export function headOf({ view, colour, octaves }, weights, { density, base }) {
  const directions = encodedSize(octaves);
  const features = view.inputs - directions;
  const withoutBias = { ...view, bias: new Float32Array(view.outputs) };
  return {
    feature: weights.dense(withoutBias, density.row, 0, features),
    direction: weights.dense(view, 0, features, directions),
    colours: [0, 1, 2].map((output) => weights.single(colour, base, output)),
  };
}
