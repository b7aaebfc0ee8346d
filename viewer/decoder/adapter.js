/** The header of an adapter: JSON in a zlib stream. See docs/format.md. */

import { ADAPTER, SineFileError, openContainer, view } from "./container.js";
import { readTensors } from "./tensors.js";

/** @typedef {{ config: Record<string, any>, tensors: import("./index.js").Tensors }} AdapterFile */

const LARGEST_HEADER = 2 ** 20; // bytes of JSON
const LARGEST_TENSORS = 2 ** 14;
const LARGEST_NAME = 512; // characters
const LARGEST_SIZE = 2 ** 24; // values
const LARGEST_NUMBER = 1e30;
/** PEFT would treat other names as regular expressions. */
const NAME = /^\^?[\p{L}\p{N}_.-]+$/u;
const FACTOR = /^(.*\.lora_(?:embedding_)?)A((?:\.weight)?)$/su;
const KEY = /"(?:[^"\\]|\\.)*"(\s*:)?/gs;

/** @typedef {(value: any) => boolean} Check */
/** @type {Check} */
const isText = (value) => typeof value === "string";
/** @type {Check} */
const isFlag = (value) => typeof value === "boolean";
/** @type {Check} */
const isNumber = (value) => typeof value === "number" && Math.abs(value) < LARGEST_NUMBER;
/** @type {Check} */
const isRank = (value) => Number.isInteger(value) && value >= 1;
/** @type {Check} */
const isName = (value) => isText(value) && NAME.test(value);
/** @type {Check} */
const areNames = (value) => Array.isArray(value) && value.every(isName);
/** @type {Check} */
const areIndices = (value) => Number.isInteger(value) || (Array.isArray(value) && value.every(Number.isInteger));
/** @type {Check} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @type {(isValid: Check) => Check} */
const byName = (isValid) => (value) => isObject(value) && Object.entries(value).every(([name, x]) => isName(name) && isValid(x));

/** The fields of PEFT's configuration that a file may set. @type {Map<string, Check>} */
const FIELDS = new Map(Object.entries({
  peft_type: (/** @type {any} */ value) => value === "LORA" || value === "SINE_LORA",
  task_type: isText, base_model_name_or_path: isText, r: isRank, lora_alpha: isNumber, omega: isNumber, gain: isNumber,
  use_dora: isFlag, use_rslora: isFlag, lora_dropout: isNumber,
  bias: (/** @type {any} */ value) => ["none", "all", "lora_only"].includes(value),
  fan_in_fan_out: isFlag, target_modules: areNames, exclude_modules: areNames, modules_to_save: areNames,
  layers_to_transform: areIndices, layers_pattern: (/** @type {any} */ value) => isName(value) || areNames(value),
  rank_pattern: byName(isRank), alpha_pattern: byName(isNumber),
}));
const REQUIRED = ["peft_type", "r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "fan_in_fan_out", "bias"];

/**
 * Decode an adapter. Its header is unpacked by the browser, which takes a promise.
 *
 * @param {Uint8Array} data the whole file
 * @returns {Promise<AdapterFile>}
 * @throws {SineFileError} no adapter, of a newer version, or damaged
 */
export async function decodeAdapter(data) {
  const container = openContainer(data);
  if (container.kind !== ADAPTER) throw new SineFileError("holds no adapter");
  const { config, tensors } = parsed(await unpacked(container.header));
  checkConfig(config);
  /** @type {import("./tensors.js").Shapes} */
  const shapes = Object.entries(tensors);
  checkShapes(shapes);
  const highest = Math.max(0, ...ranks(new Map(shapes)));
  if ([config.r, ...Object.values(config.rank_pattern ?? {})].some((rank) => rank > highest)) {
    throw new SineFileError("is damaged: a rank is above that of any tensor");
  }
  return { config, tensors: readTensors(container, shapes) };
}

/** @param {Uint8Array} header */
async function unpacked(header) {
  const stream = new Blob([new Uint8Array(header)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const text = new Uint8Array(LARGEST_HEADER);
  let size = 0;
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      text.set(/** @type {Uint8Array} */ (value), size); // throws beyond the bound
      size += /** @type {Uint8Array} */ (value).length;
    }
    // the checksum ends the stream, and the header: not all runtimes look at what stands behind it
    if (view(header).getUint32(header.length - 4) !== adler32(text.subarray(0, size))) throw new Error("not the end");
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text.subarray(0, size));
  } catch {
    throw new SineFileError("is damaged: its header cannot be read");
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The checksum of zlib (RFC 1950). @param {Uint8Array} data */
function adler32(data) {
  let [a, b] = [1, 0];
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

/** @param {string} text @returns {{ config: Record<string, any>, tensors: Record<string, any> }} */
function parsed(text) {
  let content, names;
  try {
    content = JSON.parse(text);
    names = countKeys(content); // throws where lists are nested too deep
  } catch {
    throw new SineFileError("is damaged: its header cannot be read");
  }
  const keys = [...text.matchAll(KEY)].filter(([, colon]) => colon).length;
  if (keys !== names) throw new SineFileError("is damaged: a name occurs twice in its header");
  if (!isObject(content) || Object.keys(content).sort().join() !== "config,tensors" || !Object.values(content).every(isObject)) {
    throw new SineFileError("is damaged: its header has other parts");
  }
  return content;
}

/** @param {any} value @returns {number} names in all objects */
function countKeys(value) {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum, part) => sum + countKeys(part), own);
}

/** @param {Record<string, any>} config */
function checkConfig(config) {
  for (const [name, value] of Object.entries(config)) {
    if (!FIELDS.get(name)?.(value)) throw new SineFileError(`has a setting that the format does not have: ${name.slice(0, 60)}`);
  }
  const missing = [...REQUIRED, ...(config.peft_type === "SINE_LORA" ? ["omega"] : [])].filter((name) => !(name in config));
  if (missing.length) throw new SineFileError(`is damaged: its header lacks ${missing.join(", ")}`);
}

/** @param {[string, any][]} shapes */
function checkShapes(shapes) {
  const isShape = (/** @type {any} */ shape) =>
    Array.isArray(shape) && shape.length <= 4 && shape.every(isRank) && shape.reduce((a, b) => a * b, 1) <= LARGEST_SIZE;
  const isBounded = shapes.length > 0 && shapes.length <= LARGEST_TENSORS;
  if (!isBounded || !shapes.every(([name, shape]) => [...name].length <= LARGEST_NAME && isShape(shape))) {
    throw new SineFileError("is damaged: its tensors are out of bounds");
  }
}

/** The rank of each adapted layer, from its factors A (r, ...) and B (m, r, ...). @param {Map<string, number[]>} shapes */
function ranks(shapes) {
  return [...shapes].flatMap(([name, a]) => {
    const factor = FACTOR.exec(name);
    if (!factor) return [];
    const b = shapes.get(`${factor[1]}B${factor[2]}`) ?? [];
    if (a.length < 2 || a[0] !== b[1] || a[0] > Math.max(a.slice(1).reduce((x, y) => x * y, 1), b[0])) {
      throw new SineFileError("is damaged: a factor has no matching one");
    }
    return [a[0]];
  });
}
