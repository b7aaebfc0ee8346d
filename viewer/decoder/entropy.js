/**
 * Entropy decoding: a two-parameter frequency model for each tensor, and asymmetric numeral systems.
 *
 * The arithmetic is exact. Products of up to 64 bits are split so that every part stays below 2^53.
 */

import { SineFileError } from "./container.js";

/** @typedef {{ bound: number, a: number, c: number, signed: boolean }} EntropyModel */

/** Largest absolute value of an integer in a file. */
export const LARGEST = 2 ** 14;
const SLOTS = 2 ** 24;
const WORD = 2 ** 32;
/** floor(2^(32 - i/8)) for i = 0..7 */
const ROOTS = [4294967296, 3938502375, 3611622602, 3311872529, 3037000499, 2784941737, 2553802833, 2341847523];

/** @param {number} code a byte: ratio of neighbouring weights, times 2^32 */
function ratio(code) {
  return WORD - Math.floor(ROOTS[code % 8] / 2 ** (code >> 3));
}

/** c where the file does not store it. @param {number} a @param {boolean} signed */
export const usualC = (a, signed) => (signed ? Math.max(0, a - 8) : 255);

/** The bound where the file does not store it. @param {number} a @param {number} c */
export const usualBound = (a, c) => Math.min(LARGEST, 32 * 2 ** (a >> 3), 8 * 2 ** ((c + 8) >> 4));

/**
 * floor(x y / 2^32), exactly, for x and y up to 2^32.
 *
 * @param {number} x
 * @param {number} y
 */
function scaled(x, y) {
  const high = Math.floor(y / 65536);
  const low = y % 65536;
  return Math.floor((x * high + Math.floor((x * low) / 65536)) / 65536);
}

/**
 * Where each symbol's slots start, of 2^24 in all: one entry for each symbol, and a last one of 2^24.
 *
 * @param {EntropyModel} model
 */
export function symbolStarts({ bound, a, c, signed }) {
  const weights = new Float64Array(bound + 1);
  let total = 0;
  for (let q = 0, weight = 2 ** 31, step = ratio(a), bend = ratio(c); q <= bound && weight > 0; q++) {
    weights[q] = weight;
    total += signed && q > 0 ? 2 * weight : weight;
    [weight, step] = [scaled(weight, step), scaled(step, bend)];
  }
  const count = signed ? 2 * bound + 1 : bound + 1;
  const spare = SLOTS - count;
  const side = Uint32Array.from(weights, (weight) => 1 + dividedProduct(weight, spare, total));
  const frequencies = new Uint32Array(count);
  const zero = signed ? bound : 0;
  for (let q = 0; q <= bound; q++) {
    frequencies[zero + q] = side[q];
    if (signed) frequencies[zero - q] = side[q];
  }
  frequencies[zero] += SLOTS - frequencies.reduce((sum, frequency) => sum + frequency, 0);
  const starts = new Uint32Array(count + 1);
  for (let symbol = 0; symbol < count; symbol++) starts[symbol + 1] = starts[symbol] + frequencies[symbol];
  return starts;
}

/**
 * floor(x y / z), exactly, for x up to 2^31, y up to 2^24 and x <= z < 2^53.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} z
 */
function dividedProduct(x, y, z) {
  return x * y < Number.MAX_SAFE_INTEGER ? Math.floor((x * y) / z) : Number((BigInt(x) * BigInt(y)) / BigInt(z));
}

/** A stack of 32-bit words, whose top is the last, with a state of 64 bits as two words. */
class AnsDecoder {
  /** @param {Uint32Array} words */
  constructor(words) {
    this.words = words;
    this.left = words.length;
    this.high = 0;
    this.low = this.#pop();
    if (this.left) [this.high, this.low] = [this.low, this.#pop()];
  }

  #pop() {
    return this.left ? this.words[--this.left] : 0;
  }

  /**
   * Decode symbols into `target`, from 0 up.
   *
   * @param {Uint32Array} starts of `symbolStarts`
   * @param {Int32Array} target
   */
  decode(starts, target) {
    for (let index = 0; index < target.length; index++) {
      const slot = this.low % SLOTS;
      const symbol = symbolAt(starts, slot);
      const frequency = starts[symbol + 1] - starts[symbol];
      // state = frequency * (state >> 24) + slot - start, with the state in two words
      const quotient = this.high * 256 + Math.floor(this.low / SLOTS);
      const lower = frequency * (quotient % SLOTS) + slot - starts[symbol];
      const upper = frequency * Math.floor(quotient / SLOTS) + Math.floor(lower / SLOTS);
      this.high = Math.floor(upper / 256);
      this.low = (upper % 256) * SLOTS + (lower % SLOTS);
      if (this.high === 0 && this.left) [this.high, this.low] = [this.low, this.#pop()];
      target[index] = symbol;
    }
  }

  get isEmpty() {
    return this.left === 0 && this.high === 0 && this.low === 0;
  }
}

/**
 * The symbol whose slots hold `slot`.
 *
 * @param {Uint32Array} starts
 * @param {number} slot
 */
function symbolAt(starts, slot) {
  let [low, high] = [0, starts.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= slot) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * The coded integers of all tensors, in order.
 *
 * @param {Uint8Array} data
 * @param {{ count: number, model: EntropyModel }[]} tensors
 * @returns {Int32Array[]}
 * @throws {SineFileError} the bytes do not hold exactly these tensors
 */
export function decodeIntegers(data, tensors) {
  if (data[data.length - 1] === 0) throw new SineFileError("is damaged: the coded integers end in a zero byte");
  const words = new Uint32Array(Math.ceil(data.length / 4));
  new Uint8Array(words.buffer).set(data); // the last word is filled up with zeros; every browser's machine is little-endian
  const decoder = new AnsDecoder(words);
  const decoded = tensors.map(({ count, model }) => {
    const integers = new Int32Array(count);
    decoder.decode(symbolStarts(model), integers);
    if (model.signed) for (let i = 0; i < count; i++) integers[i] -= model.bound;
    return integers;
  });
  if (!decoder.isEmpty) throw new SineFileError("is damaged: the coded integers do not end where they should");
  return decoded;
}
