/** The tensors of a .sine file: their table, and integers or float32 values. See docs/format.md. */

import { ADAPTER, SineFileError, float32, readSignedVarint, readVarint, view } from "./container.js";
import { LARGEST, decodeIntegers, usualBound, usualC } from "./entropy.js";

/** @typedef {import("./container.js").Container} Container */
/** @typedef {import("./entropy.js").EntropyModel} EntropyModel */
/** @typedef {[name: string, shape: number[]][]} Shapes */
/**
 * @typedef {object} Tensor
 * @property {string} name
 * @property {number[]} shape
 * @property {Int32Array | null} integers null where the file stores float32
 * @property {number} step 0 where the file stores float32
 * @property {Float32Array} values rows first
 */
/** @typedef {{ step: number, model: EntropyModel | null, runs: { place: number, first: number }[] }} Entry */

const [ASCENDS, STORES_BOUND, STORES_C] = [1 << 15, 1 << 14, 1 << 13];
/** The upper half of the float32 before 2^-44, the smallest step, whose number is 1. */
const BEFORE_FIRST = 10623;
const LARGEST_COUNT = 2 ** 22;
const LARGEST_ADAPTER = 2 ** 24;
const LARGEST_TABLES = 2 ** 20;

/** @param {number[]} shape */
const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

/**
 * All tensors of a file, whose names and shapes its header gives.
 *
 * @param {Container} container
 * @param {Shapes} shapes
 * @returns {Map<string, Tensor>}
 * @throws {SineFileError} the file does not hold exactly these tensors, or a value is not finite
 */
export function readTensors(container, shapes) {
  const counts = shapes.map(([, shape]) => sizeOf(shape));
  const total = counts.reduce((sum, count) => sum + count, 0);
  checkCount(container.kind, total);
  const { table, end } = readTable(container.body, shapes.length);
  const steps = table.reduce((sum, { model }) => sum + (model ? model.bound + 1 : 0), 0);
  if (steps > LARGEST_TABLES + total) throw new SineFileError("is damaged: its tables are too large");

  const rawBytes = table.reduce((sum, { model }, i) => sum + (model ? 0 : 4 * counts[i]), 0);
  if (end + rawBytes > container.body.length) throw new SineFileError("is damaged: its values are cut off");
  const coded = table.flatMap(({ model }, i) => (model ? [{ count: counts[i], model }] : []));
  const decoded = decodeIntegers(container.body.subarray(end + rawBytes), coded);

  /** @type {Map<string, Tensor>} */
  const tensors = new Map();
  const raw = view(container.body);
  let place = end;
  let next = 0;
  shapes.forEach(([name, shape], i) => {
    const { step, model } = table[i];
    const integers = model ? undifferenced(table[i], decoded[next++]) : null;
    const values = new Float32Array(counts[i]);
    for (let j = 0; j < values.length; j++) values[j] = integers ? integers[j] * step : raw.getFloat32(place + 4 * j, true);
    if (!integers) place += 4 * counts[i];
    if (!values.every(Number.isFinite)) throw new SineFileError("is damaged: it holds values that are not finite");
    tensors.set(name, { name, shape, integers, step, values });
  });
  return tensors;
}

/**
 * Refuse more values than the format allows, before anything is allocated for them.
 *
 * @param {number} kind
 * @param {number} count
 */
export function checkCount(kind, count) {
  if (!(count <= (kind === ADAPTER ? LARGEST_ADAPTER : LARGEST_COUNT))) {
    throw new SineFileError(`is damaged: it holds ${count} values, more than the format allows`);
  }
}

/**
 * @param {Uint8Array} body
 * @param {number} count
 * @returns {{ table: Entry[], end: number }}
 */
function readTable(body, count) {
  /** @type {Entry[]} */
  const table = [];
  let place = 0;
  for (let i = 0; i < count; i++) {
    if (place + 2 > body.length) throw new SineFileError("is damaged: its table is cut off");
    const head = body[place] | (body[place + 1] << 8);
    place += 2;
    if (!head) {
      table.push({ step: 0, model: null, runs: [] });
      continue;
    }
    const step = head % STORES_C;
    if (!step) throw new SineFileError("is damaged: a step is not a positive number");
    const runs = [];
    if (head & ASCENDS) {
      const [first, afterFirst] = readSignedVarint(body, place);
      runs.push({ place: 0, first });
      const [second, afterSecond] = readVarint(body, afterFirst);
      place = afterSecond;
      if (second) {
        const [again, afterAgain] = readSignedVarint(body, place);
        runs.push({ place: second, first: again });
        place = afterAgain;
      }
    }
    const { model, end } = readModel(body, place, head);
    table.push({ step: float32((step + BEFORE_FIRST) << 16), model, runs });
    place = end;
  }
  return { table, end: place };
}

/**
 * @param {Uint8Array} body
 * @param {number} place
 * @param {number} head of the table's entry
 * @returns {{ model: EntropyModel, end: number }}
 */
function readModel(body, place, head) {
  const signed = !(head & ASCENDS);
  const after = place + (head & STORES_C ? 2 : 1);
  if (after > body.length) throw new SineFileError("is damaged: its table is cut off");
  const a = body[place];
  const c = head & STORES_C ? body[place + 1] : usualC(a, signed);
  const [bound, end] = head & STORES_BOUND ? readVarint(body, after) : [usualBound(a, c), after];
  if (bound < 1 || bound > LARGEST) throw new SineFileError("is damaged: an integer is beyond the format's bound");
  return { model: { bound, a, c, signed }, end };
}

/**
 * A tensor's integers from the differences that the file codes where they ascend.
 *
 * @param {Entry} entry
 * @param {Int32Array} coded changed in place
 */
function undifferenced({ runs }, coded) {
  runs.forEach(({ place, first }, index) => {
    if (index && place >= coded.length) throw new SineFileError("is damaged: a run begins beyond its tensor");
    const end = index + 1 < runs.length ? runs[index + 1].place : coded.length;
    let sum = first;
    for (let i = place; i < Math.min(end, coded.length); i++) {
      sum += coded[i];
      if (Math.abs(sum) > LARGEST) throw new SineFileError("is damaged: an integer is beyond the format's bound");
      coded[i] = sum;
    }
  });
  return coded;
}
