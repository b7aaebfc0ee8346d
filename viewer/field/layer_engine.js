/**
 * Layers of dense networks for 32 points at a time: by the WebAssembly SIMD kernel (kernel/radiance.ts), or in plain
 * JavaScript. Both use the same memory: features lie as (feature, 32 points), weights in blocks of four outputs.
 */

/** @typedef {import("./weights.js").DenseLayer} DenseLayer */
/** @typedef {(weights: number, inputs: number, blocks: number, from: number, to: number, rectify: boolean) => void} RunLayer */
/** @typedef {(points: number, octaves: number, to: number) => void} Encode */

/** Points of a batch. */
export const POINTS = 32;
const ROW = 4 * POINTS; // bytes
const PAGE = 65536;
const RESERVED = 1024; // bytes that the compiler may use
const LARGEST_MEMORY = 2 ** 30;

/** @param {number} count */
export const inFours = (count) => 4 * Math.ceil(count / 4);

/** Memory, and the two functions that work in it. Addresses are in bytes. */
export class LayerEngine {
  #next = RESERVED;

  /** @param {WebAssembly.Memory} memory @param {RunLayer} layer @param {Encode} encode */
  constructor(memory, layer, encode) {
    this.memory = memory;
    this.layer = layer;
    this.encode = encode;
  }

  /** @param {number} count of float32 @returns {number} an address, a multiple of 16 */
  reserve(count) {
    const address = this.#next;
    this.#next += 4 * inFours(count);
    const missing = this.#next - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    return address;
  }

  /** Views end where the memory grows: take them after all is reserved. @param {number} address @param {number} count */
  view(address, count) {
    return new Float32Array(this.memory.buffer, address, count);
  }

  /**
   * Put a layer into the memory.
   *
   * @param {DenseLayer} layer
   * @param {number[]} [rows] for each input that the layer will be given, the column of its weights, or -1 for none
   * @returns {PackedLayer}
   */
  pack({ outputs, inputs, weight, bias }, rows = Array.from({ length: inputs }, (_, i) => i)) {
    const blocks = inFours(outputs) / 4;
    const address = this.reserve(4 * blocks * (1 + rows.length));
    const packed = this.view(address, 4 * blocks * (1 + rows.length));
    for (let output = 0; output < outputs; output++) {
      const block = (output >> 2) * 4 * (1 + rows.length) + (output & 3);
      packed[block] = bias[output];
      rows.forEach((column, i) => (packed[block + 4 * (1 + i)] = column < 0 ? 0 : weight[output * inputs + column]));
    }
    return new PackedLayer(this, address, rows.length, blocks);
  }
}

/** A layer in the memory of an engine. */
export class PackedLayer {
  /** @param {LayerEngine} engine @param {number} address @param {number} inputs @param {number} blocks of four outputs */
  constructor(engine, address, inputs, blocks) {
    this.engine = engine;
    this.address = address;
    this.inputs = inputs;
    this.blocks = blocks;
  }

  /** @param {number} from address of the inputs @param {number} to of the outputs @param {boolean} [rectify] */
  run(from, to, rectify = false) {
    this.engine.layer(this.address, this.inputs, this.blocks, from, to, rectify);
  }
}

/** @param {BufferSource} kernel the compiled kernel @throws {WebAssembly.CompileError} the browser has no WebAssembly SIMD */
export async function simdEngine(kernel) {
  const memory = newMemory();
  const { instance } = await WebAssembly.instantiate(kernel, { env: { memory } });
  return new LayerEngine(memory, /** @type {RunLayer} */ (instance.exports.layer), /** @type {Encode} */ (instance.exports.encode));
}

/** The same in plain JavaScript: the reference, and what runs without WebAssembly SIMD. */
export function plainEngine() {
  const memory = newMemory();
  const floats = () => new Float32Array(memory.buffer);
  return new LayerEngine(
    memory,
    (...call) => plainLayer(floats(), ...call),
    (...call) => plainEncode(floats(), ...call),
  );
}

const newMemory = () => new WebAssembly.Memory({ initial: 16, maximum: LARGEST_MEMORY / PAGE });

/**
 * @param {Float32Array} memory
 * @param {number} weights
 * @param {number} inputs
 * @param {number} blocks
 * @param {number} from
 * @param {number} to
 * @param {boolean} rectify
 */
function plainLayer(memory, weights, inputs, blocks, from, to, rectify) {
  const sums = new Float64Array(POINTS);
  for (let output = 0; output < 4 * blocks; output++) {
    const block = weights / 4 + (output >> 2) * 4 * (1 + inputs) + (output & 3);
    sums.fill(memory[block]);
    for (let i = 0, feature = from / 4; i < inputs; i++, feature += POINTS) {
      const w = memory[block + 4 * (1 + i)];
      for (let point = 0; point < POINTS; point++) sums[point] += w * memory[feature + point];
    }
    for (let point = 0; point < POINTS; point++) {
      memory[(to + output * ROW) / 4 + point] = rectify ? Math.max(0, sums[point]) : sums[point];
    }
  }
}

/** @param {Float32Array} memory @param {number} points @param {number} octaves @param {number} to */
function plainEncode(memory, points, octaves, to) {
  for (let place = 0; place < 3 * POINTS; place++) {
    const x = memory[points / 4 + place];
    memory[to / 4 + place] = x;
    for (let octave = 0; octave < octaves; octave++) {
      const row = to / 4 + place + 3 * POINTS * (1 + 2 * octave);
      memory[row] = Math.sin(x * 2 ** octave);
      memory[row + 3 * POINTS] = Math.cos(x * 2 ** octave);
    }
  }
}
