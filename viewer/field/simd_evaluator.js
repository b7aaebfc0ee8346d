/** An occupancy network's logits by the WebAssembly SIMD kernel: see kernel/occupancy.ts. */

const LANES = 16;
const BLOCKS = 1024; // points at once: 16,384
const PAGE = 65536;
const ACTIVATIONS = ["relu", "gaussian", "sine"];

/**
 * @param {import("./occupancy_network.js").OccupancyNetwork} network
 * @param {BufferSource} kernel the compiled kernel
 * @returns {Promise<(points: Float32Array) => Float32Array>} (n, 3) points of the cube, to n logits
 * @throws {WebAssembly.CompileError} the browser has no WebAssembly SIMD
 */
export async function simdEvaluator({ layers, head, activation, bandwidth }, kernel) {
  const width = layers[0].outputs;
  const weights = [...layers, head].flatMap(({ weight, bias }) => [weight, bias]);
  const weightCount = weights.reduce((sum, part) => sum + part.length, 0);
  const parts = { points: 3 * LANES * BLOCKS, logits: LANES * BLOCKS, scratch: 2 * LANES * width, weights: weightCount };
  const floats = Object.values(parts).reduce((sum, size) => sum + size, 0);
  const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * floats + 1024) / PAGE) });
  const { instance } = await WebAssembly.instantiate(kernel, { env: { memory } });
  const evaluate = /** @type {Function} */ (instance.exports.evaluate);

  let offset = 1024; // a multiple of 16 bytes, beyond what the compiler may use
  /** @param {number} size */
  const reserve = (size) => {
    const array = new Float32Array(memory.buffer, offset, size);
    offset += 4 * size;
    return array;
  };
  const [points, logits, scratch] = [reserve(parts.points), reserve(parts.logits), reserve(parts.scratch)];
  const packed = reserve(parts.weights);
  let place = 0;
  for (const part of weights) {
    packed.set(part, place);
    place += part.length;
  }

  return (given) => {
    const count = given.length / 3;
    const result = new Float32Array(count);
    for (let start = 0; start < count; start += LANES * BLOCKS) {
      const size = Math.min(LANES * BLOCKS, count - start);
      for (let i = 0; i < size; i++) {
        const at = 3 * LANES * Math.floor(i / LANES) + (i % LANES);
        const from = 3 * (start + i);
        points[at] = given[from];
        points[at + LANES] = given[from + 1];
        points[at + 2 * LANES] = given[from + 2];
      }
      evaluate(points.byteOffset, logits.byteOffset, Math.ceil(size / LANES), packed.byteOffset, scratch.byteOffset,
        width, layers.length, ACTIVATIONS.indexOf(activation), bandwidth);
      result.set(logits.subarray(0, size), start);
    }
    return result;
  };
}
