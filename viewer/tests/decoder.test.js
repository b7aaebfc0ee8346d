/** The decoder against the golden files, whose hashes Python's readers made, and against damaged files. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";

import { buildSync } from "esbuild";

import { crc32 } from "../decoder/container.js";
import { symbolStarts } from "../decoder/entropy.js";
import { SineFileError, decode, decodeAdapter } from "../decoder/index.js";
import { folded } from "../field/mirror.js";

const GOLDEN = new URL("../../tests/golden/", import.meta.url);
const HASHES = new Map(
  readFileSync(new URL("hashes.txt", GOLDEN), "utf8").trim().split("\n").map((line) => /** @type {[string, string]} */ (line.split(" "))),
);
/** @param {string} folder */
const filesOf = (folder) =>
  readdirSync(new URL(folder || ".", GOLDEN)).filter((name) => name.endsWith(".sine")).map((name) => folder + name);
const FILES = ["", "scenes/"].flatMap(filesOf);
const ADAPTERS = filesOf("adapters/");

/** @param {string} file */
const read = (file) => new Uint8Array(readFileSync(new URL(file, GOLDEN)));

/** Names as the second reader of the Python tests has them. @param {string} name */
const independentName = (name) =>
  name.replace(/^coarse\./, "0.").replace(/^fine\./, "1.").replace(/^([01])\.trunk\./, "$1.");

test("there are golden files of shapes and scenes", () => {
  assert.ok(FILES.length >= 15 && FILES.some((file) => file.startsWith("scenes/")));
});

for (const file of [...FILES, ...ADAPTERS]) {
  test(`${file} holds the values that Python finds`, async () => {
    const digest = createHash("sha256");
    const { tensors } = ADAPTERS.includes(file) ? await decodeAdapter(read(file)) : decode(read(file));
    for (const { name, values } of tensors.values()) {
      digest.update(independentName(name)).update(new Uint8Array(values.buffer));
    }
    assert.equal(digest.digest("hex"), HASHES.get(file.replace(".sine", "")));
  });
}

test("a contraction has its centre, radius and near distance", () => {
  const { warp } = /** @type {{ warp: unknown }} */ (decode(read("scenes/contraction.sine")));
  const centre = [0.1, -0.2, 0.3].map(Math.fround);
  assert.deepEqual(warp, { kind: "contraction", centre, radius: 1.5, near: Math.fround(0.2) });
});

test("numbers that a warp does not have are refused", () => {
  const data = read("scenes/contraction.sine");
  const start = 8; // of the header, whose length is a varint of two bytes
  new DataView(data.buffer).setFloat32(start + 27 + 24, 5, true);
  assert.throws(() => decode(sealed(data)), /is damaged: its warp has more numbers than the format defines/);
});

test("a plane of symmetry is read, and points beyond it are evaluated at their images", () => {
  const { placement } = /** @type {import("../decoder/index.js").OccupancyFile} */ (decode(read("mirror.sine")));
  const { normal: [x, y, z], offset } = /** @type {import("../decoder/occupancy.js").Mirror} */ (placement.mirror);
  assert.ok(Math.abs(x ** 2 + y ** 2 + z ** 2 - 1) < 1e-12 && Math.abs(offset + 0.11) < 1e-4 && placement.up === "-z");
  const seen = folded((points) => points, { normal: [0.6, -0.8, 0], offset: 0.1 })(new Float32Array([1, 0, 3, 0, 0, 3]));
  [1, 0, 3, 0.12, -0.16, 3].forEach((value, i) => assert.ok(Math.abs(seen[i] - value) < 1e-6));
  assert.equal(/** @type {import("../decoder/index.js").OccupancyFile} */ (decode(read("sine.sine"))).placement.mirror, null);
});

test("the number of pieces is read", () => {
  const pieces = ["pieces.sine", "z-up.sine", "mirror.sine"].map((name) =>
    /** @type {import("../decoder/index.js").OccupancyFile} */ (decode(read(name))).placement.pieces);
  assert.deepEqual(pieces, [1, 0, 0]);
});

test("the split of a training is read", () => {
  const { capture } = /** @type {{ capture: { split: unknown } }} */ (decode(read("scenes/split.sine")));
  assert.deepEqual(capture.split, { rule: "spread", parameter: 18, checksum: 0x89abcdef });
  const other = /** @type {{ capture: { split: unknown } }} */ (decode(read("scenes/contraction.sine")));
  assert.equal(other.capture.split, null);
});

test("frequencies are those of exact integers, for every pair of codes", () => {
  for (let a = 0; a < 256; a += 5) {
    for (let c = 0; c < 256; c += 5) {
      for (const [bound, signed] of /** @type {[number, boolean][]} */ ([[1, true], [37, true], [500, false]])) {
        assert.deepEqual(symbolStarts({ bound, a, c, signed }), exactStarts(bound, a, c, signed));
      }
    }
  }
});

/** @param {number} bound @param {number} a @param {number} c @param {boolean} signed */
function exactStarts(bound, a, c, signed) {
  const roots = Array.from({ length: 8 }, (_, i) => root8(1n << BigInt(256 - i)));
  /** @param {number} code */
  const ratio = (code) => (1n << 32n) - (roots[code % 8] >> BigInt(code >> 3));
  const side = [];
  for (let q = 0, weight = 1n << 31n, step = ratio(a); q <= bound; q++) {
    side.push(weight);
    [weight, step] = [(weight * step) >> 32n, (step * ratio(c)) >> 32n];
  }
  const weights = signed ? [...side.slice(1).reverse(), ...side] : side;
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  const table = weights.map((weight) => 1n + (weight * ((1n << 24n) - BigInt(weights.length))) / total);
  table[signed ? bound : 0] += (1n << 24n) - table.reduce((sum, frequency) => sum + frequency, 0n);
  const starts = [0n];
  for (const frequency of table) starts.push(/** @type {bigint} */ (starts.at(-1)) + frequency);
  return Uint32Array.from(starts, Number);
}

/** The eighth root, rounded down. @param {bigint} value */
function root8(value) {
  let low = 0n;
  let high = 1n << 33n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** 8n <= value) low = middle;
    else high = middle;
  }
  return low;
}

/** A generator of reproducible numbers in [0, 1) (mulberry32). @param {number} seed */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same bytes with a right checksum. @param {Uint8Array} data */
function sealed(data) {
  new DataView(data.buffer).setUint32(data.length - 4, crc32(data.subarray(0, -4)), true);
  return data;
}

test("4,000 damaged files with a right checksum are refused in words, or are valid", () => {
  const draw = random(7);
  const originals = FILES.map(read);
  let refused = 0;
  for (let trial = 0; trial < 4_000; trial++) {
    const original = originals[trial % originals.length];
    const cut = draw() < 0.2 ? Math.max(12, Math.floor(draw() * original.length)) : original.length;
    const damaged = original.slice(0, cut);
    for (let change = 0; change <= 3 * draw(); change++) damaged[Math.floor(draw() * damaged.length)] = Math.floor(256 * draw());
    try {
      for (const { values } of decode(sealed(damaged)).tensors.values()) assert.ok(values.every(Number.isFinite));
    } catch (error) {
      assert.ok(error instanceof SineFileError, String(error instanceof Error ? error.stack : error));
      refused += 1;
    }
  }
  assert.ok(refused > 2_000, `${refused} of 4,000 refused`);
});

test("damaged adapters with a right checksum are refused in words, or are valid", async () => {
  const draw = random(11);
  const originals = ADAPTERS.map(read);
  let refused = 0;
  for (let trial = 0; trial < 1000; trial++) {
    const damaged = originals[trial % originals.length].slice();
    for (let change = 0; change <= 2 * draw(); change++) damaged[6 + Math.floor(draw() * (damaged.length - 6))] = Math.floor(256 * draw());
    try {
      for (const { values } of (await decodeAdapter(sealed(damaged))).tensors.values()) assert.ok(values.every(Number.isFinite));
    } catch (error) {
      assert.ok(error instanceof SineFileError, String(error instanceof Error ? error.stack : error));
      refused += 1;
    }
  }
  assert.ok(refused > 300, `${refused} of 1,000 refused`);
});

/** An adapter with another header, and a right checksum. @param {Uint8Array | string} header JSON, or what stands in its place */
function adapterWith(header) {
  const packed = typeof header === "string" ? deflateSync(header) : header;
  const { length } = packed;
  const data = new Uint8Array(6 + 3 + length + 4);
  data.set([83, 73, 78, 69, 1, 3, (length & 127) | 128, (length >> 7) | 128, length >> 14]);
  data.set(packed, 9);
  return sealed(data);
}

test("headers of adapters that a reader must refuse", async () => {
  const config = '"r":1,"lora_alpha":1,"lora_dropout":0,"use_rslora":false,"use_dora":false,"fan_in_fan_out":false,"bias":"none"';
  const lora = `"peft_type":"LORA",${config}`;
  const letters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  const names = letters.flatMap((a) => letters.flatMap((b) => letters.map((c) => `"${a}${b}${c}":1`)));
  const ranks = `{${names.slice(0, 128_000)}}`; // more than a function takes arguments
  for (const [header, message] of /** @type {[Uint8Array | string, RegExp][]} */ ([
    [`{"config":{${lora},"r":1},"tensors":{"a":[1]}}`, /twice/],
    [`{"config":{${lora},"revision":"x"},"tensors":{"a":[1]}}`, /does not have: revision/],
    [`{"config":{${lora},"target_modules":["(a+)+"]},"tensors":{"a":[1]}}`, /does not have: target_modules/],
    [`{"config":{"peft_type":"SINE_LORA",${config}},"tensors":{"a":[1]}}`, /lacks omega/],
    [`{"config":{${lora}},"tensors":{}}`, /out of bounds/],
    [`{"config":{${lora}},"tensors":{"m.lora_A.weight":[1,4]}}`, /no matching/],
    [`{"config":{${lora}},"tensors":{"a":[1]}}`, /above that of any tensor/],
    [`\ufeff{"config":{${lora}},"tensors":{"a":[1]}}`, /cannot be read/],
    [" ".repeat(2 ** 20 + 1), /cannot be read/],
    ["[".repeat(2 ** 19) + "]".repeat(2 ** 19), /cannot be read/], // too deep for a recursive function
    [`{"config":{${lora},"rank_pattern":${ranks}},"tensors":{"a":[1]}}`, /above that of any tensor/],
    [Uint8Array.of(...deflateSync("{}"), 0), /cannot be read/],
    [deflateSync("{}").subarray(0, -2), /cannot be read/],
  ])) {
    await assert.rejects(decodeAdapter(adapterWith(header)), { message });
  }
  assert.throws(() => decode(read(ADAPTERS[0])), /needs its model/);
  await assert.rejects(decodeAdapter(read(FILES[0])), /holds no adapter/);
});

test("a wrong checksum, a newer version and other files are refused", () => {
  const data = read(FILES[0]);
  for (const [change, message] of /** @type {[(copy: Uint8Array) => void, RegExp][]} */ ([
    [(copy) => (copy[copy.length - 1] ^= 1), /checksum/],
    [(copy) => (copy[4] = 77), /version 77/],
    [(copy) => (copy[0] = 0), /not a \.sine file/],
  ])) {
    const copy = data.slice();
    change(copy);
    assert.throws(() => decode(copy), { message });
  }
  assert.throws(() => decode(new Uint8Array(3)), /not a \.sine file/);
});

test("the decoder takes less than 12 kB, minified and gzipped", () => {
  const entry = new URL("../decoder/index.js", import.meta.url).pathname;
  const { outputFiles } = buildSync({ entryPoints: [entry], bundle: true, minify: true, format: "esm", write: false });
  const size = gzipSync(outputFiles[0].contents).length;
  assert.ok(size < 12_000, `${size} bytes`);
});
