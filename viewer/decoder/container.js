/**
 * The frame of a .sine file: magic, version, kind, header, table and checksum. See docs/format.md.
 *
 * Nothing in a file is executed, and every size is checked against the format's bounds before memory is allocated.
 */

/** @typedef {{ kind: number, header: Uint8Array, body: Uint8Array, size: number }} Container */

/** A file that is not a valid .sine file, or that this decoder does not know. The message is one line for a person. */
export class SineFileError extends Error {}

export const OCCUPANCY = 1;
export const RADIANCE = 2;
export const ADAPTER = 3;

const VERSION = 1;
export const LARGEST_FILE = 2 ** 26;
const LARGEST_HEADER = 2 ** 20;
const SMALLEST_FILE = 11;

/**
 * Check the frame of a file and split it into its parts, which share the given memory.
 *
 * @param {Uint8Array} data the whole file
 * @returns {Container}
 * @throws {SineFileError} not a .sine file, damaged, or of a newer version
 */
export function openContainer(data) {
  if (data.length < SMALLEST_FILE || String.fromCharCode(...data.subarray(0, 4)) !== "SINE") {
    throw new SineFileError("is not a .sine file");
  }
  if (data[4] !== VERSION) {
    throw new SineFileError(`has version ${data[4]}; this viewer reads version ${VERSION}`);
  }
  const end = data.length - 4;
  if (data.length > LARGEST_FILE || crc32(data.subarray(0, end)) !== view(data).getUint32(end, true)) {
    throw new SineFileError("is damaged: its checksum is wrong");
  }
  const [length, start] = readVarint(data.subarray(0, end), 6);
  if (length > LARGEST_HEADER || start + length > end) {
    throw new SineFileError("is damaged: its header is cut off");
  }
  const header = data.subarray(start, start + length);
  return { kind: data[5], header, body: data.subarray(start + length, end), size: data.length };
}

/**
 * A little-endian integer of seven bits a byte (LEB128).
 *
 * @param {Uint8Array} data
 * @param {number} place
 * @param {number} longest number of bytes, at most 7
 * @returns {[value: number, end: number]}
 */
export function readVarint(data, place, longest = 4) {
  let value = 0;
  for (let index = 0; index < longest && place + index < data.length; index++) {
    const byte = data[place + index];
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return [value, place + index + 1];
  }
  throw new SineFileError("is damaged: a number is cut off or too large");
}

/**
 * An integer of either sign: 0, -1, 1, -2, ... are the varints 0, 1, 2, 3, ...
 *
 * @param {Uint8Array} data
 * @param {number} place
 * @param {number} longest
 * @returns {[value: number, end: number]}
 */
export function readSignedVarint(data, place, longest = 4) {
  const [code, end] = readVarint(data, place, longest);
  return [code % 2 === 0 ? code / 2 : -(code + 1) / 2, end];
}

/** A float32 from its bits. @param {number} bits */
export const float32 = (bits) => new Float32Array(Uint32Array.of(bits).buffer)[0];

/** @param {Uint8Array} data */
export function view(data) {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/**
 * The CRC-32 of zlib.
 *
 * @param {Uint8Array} data
 */
export function crc32(data) {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ data[i]) & 255];
  return ~crc >>> 0;
}
