/** The header of an occupancy field, and the shapes of its tensors. See docs/format.md. */

import { OCCUPANCY, SineFileError, view } from "./container.js";
import { LAYERS, anchoredRows, checkBounds, short } from "./settings.js";
import { checkCount } from "./tensors.js";

/** @typedef {import("./tensors.js").Shapes} Shapes */
/** @typedef {"relu" | "gaussian" | "sine"} Activation */
/**
 * @typedef {object} OccupancyConfig
 * @property {import("./settings.js").LayerKind} layer
 * @property {Activation} activation between the layers
 * @property {number} width neurons of a hidden layer
 * @property {number} depth hidden layers
 * @property {number} rank width k of the factors
 * @property {number} omega frequency of the sine
 * @property {number} spread standard deviation of the phase at the start, in radians
 * @property {number} bandwidth b of the gaussian and sine activations
 * @property {boolean} learnOmega
 * @property {boolean} learnGain
 * @property {boolean} anchored the first k rows of V are fixed, and not stored
 * @property {boolean} paper the gain, and the rows that are fixed, are those of the paper's initialisation
 */
/**
 * A point x of the mesh's coordinates lies at (x - centre) / scale in the cube [-1, 1]^3; the axis `up` points up.
 *
 * @typedef {{ normal: [number, number, number], offset: number }} Mirror the plane n x = c of the cube, beyond which a
 *   shape is its own mirror image; n has length 1
 * @typedef {"y" | "z" | "x" | "-y" | "-z" | "-x"} Up
 * @typedef {{ centre: [number, number, number], scale: number, up: Up, mirror: Mirror | null }} Placement
 */

/** @type {Activation[]} */
const ACTIVATIONS = ["relu", "gaussian", "sine"];
const HEADER_BYTES = 34;
const FAR_HEADER_BYTES = 46; // with a centre in float64
const MIRROR_BYTES = 8;
const [MIRROR, PAPER] = [1 << 3, 1 << 4]; // in the extras byte
const UP_BITS = 7;
/** By their number in the extras byte. @type {Up[]} */
const UPS = ["y", "z", "x", "-y", "-z", "-x"];
const LARGEST_BAKED = 2 ** 24;

/**
 * @param {Uint8Array} header
 * @returns {{ config: OccupancyConfig, placement: Placement }}
 * @throws {SineFileError} an invalid header, or one out of the format's bounds
 */
export function readOccupancyHeader(header) {
  const choices = header[0] ?? 0;
  const extras = choices >> 7 ? header[header.length - 1] : 0;
  const length = header.length - (choices >> 7) - (extras & MIRROR ? MIRROR_BYTES : 0); // without what is optional
  if (length !== HEADER_BYTES && length !== FAR_HEADER_BYTES) {
    throw new SineFileError("is damaged: its header has the wrong length");
  }
  const data = view(header);
  const [layer, activation] = [choices & 3, (choices >> 2) & 3];
  if (layer >= LAYERS.length || activation >= ACTIVATIONS.length) {
    throw new SineFileError("is damaged: it has a layer or an activation that the format does not define");
  }
  const up = UPS[extras & UP_BITS];
  if (choices >> 7 ? !extras || extras & ~(PAPER | MIRROR | UP_BITS) || !up : 0) {
    throw new SineFileError("is damaged: its extras byte is empty, or sets bits that the format does not have");
  }
  /** @type {OccupancyConfig} */
  const config = {
    layer: LAYERS[layer],
    activation: ACTIVATIONS[activation],
    width: data.getUint16(1, true),
    depth: data.getUint8(3),
    rank: data.getUint16(4, true),
    omega: short(data.getFloat32(6, true)),
    spread: short(data.getFloat32(10, true)),
    bandwidth: short(data.getFloat32(14, true)),
    learnOmega: Boolean(choices & 16),
    learnGain: Boolean(choices & 32),
    anchored: Boolean(choices & 64),
    paper: Boolean(extras & PAPER),
  };
  const scalar = /** @type {[number, number]} */ ([1e-3, 1e6]);
  checkBounds(config, {
    width: [1, 65535], depth: [1, 255], rank: [1, 65535], omega: scalar, spread: scalar, bandwidth: scalar,
  });
  if (config.width ** 2 * config.depth > LARGEST_BAKED) {
    throw new SineFileError(`is damaged: width ${config.width} and depth ${config.depth} are beyond the format's bound`);
  }
  if (config.rank > config.width && config.layer !== "dense") {
    throw new SineFileError(`is damaged: rank ${config.rank} does not fit a width of ${config.width}`);
  }
  checkCount(OCCUPANCY, occupancyShapes(config).reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0));
  const far = length === FAR_HEADER_BYTES;
  /** @param {number} axis */
  const centre = (axis) => (far ? data.getFloat64(18 + 8 * axis, true) : data.getFloat32(18 + 4 * axis, true));
  const mirror = extras & MIRROR ? readMirror(data, length) : null;
  /** @type {Placement} */
  const placement = { centre: [centre(0), centre(1), centre(2)], scale: data.getFloat32(length - 4, true), up, mirror };
  if (![...placement.centre, placement.scale].every(Number.isFinite) || placement.scale <= 0) {
    throw new SineFileError("is damaged: its placement is invalid");
  }
  return { config, placement };
}

/**
 * @param {DataView} data
 * @param {number} start
 * @returns {Mirror}
 */
function readMirror(data, start) {
  const [x, y, z, offset] = [0, 2, 4, 6].map((place) => data.getInt16(start + place, true));
  const norm = Math.hypot(x, y, z);
  if (!norm) throw new SineFileError("is damaged: its plane of symmetry has no direction");
  return { normal: [x / norm, y / norm, z / norm], offset: offset / 2 ** 14 };
}

/**
 * Names and shapes of a field's tensors, in the file's order.
 *
 * @param {OccupancyConfig} config
 * @returns {Shapes}
 */
export function occupancyShapes({ layer, width, depth, rank, anchored, learnOmega, learnGain }) {
  /** @type {Shapes} */
  const shapes = [["trunk.layers.0.weight", [width, 3]], ["trunk.layers.0.bias", [width]]];
  for (let index = 1; index < depth; index++) {
    const name = `trunk.layers.${index}`;
    if (layer === "dense") shapes.push([`${name}.weight`, [width, width]]);
    else {
      const fixed = anchored ? anchoredRows(rank, width) : 0;
      shapes.push([`${name}.U`, [width, rank]], [`${name}.V`, [width - fixed, rank]]);
    }
    shapes.push([`${name}.bias`, [width]]);
    if (layer === "sine" && learnOmega) shapes.push([`${name}.omega`, []]);
    if (layer === "sine" && learnGain) shapes.push([`${name}.gain`, []]);
  }
  shapes.push(["head.weight", [1, width]], ["head.bias", [1]]);
  return shapes;
}
