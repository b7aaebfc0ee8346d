/** The header of an occupancy field, and the shapes of its tensors. See docs/format.md. */

import { OCCUPANCY, SineFileError, float32, readSignedVarint, readVarint, view } from "./container.js";
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
 * @typedef {{ centre: [number, number, number], scale: number, up: Up, mirror: Mirror | null, pieces: number }} Placement
 *   pieces: of how many connected pieces, those with the most faces, the surface consists; others with a tenth of the
 *   largest one's faces or more belong to it, too. 0 for all
 */

/** @type {Activation[]} */
const ACTIVATIONS = ["relu", "gaussian", "sine"];
const [MIRROR, PAPER] = [1 << 3, 1 << 4]; // in the extras byte
const [UP_BITS, PIECES] = [7, 5]; // the pieces' number is in the bits from the sixth on
/** By their number in the extras byte. @type {Up[]} */
const UPS = ["y", "z", "x", "-y", "-z", "-x"];
const LARGEST_BAKED = 2 ** 24;
const LARGEST_PLANE = 2 ** 15;

/**
 * @param {Uint8Array} header
 * @returns {{ config: OccupancyConfig, placement: Placement }}
 * @throws {SineFileError} an invalid header, or one out of the format's bounds
 */
export function readOccupancyHeader(header) {
  if (header.length < 2) throw wrongLength();
  const [choices, second] = header;
  const extras = choices >> 7 ? second : 0;
  const [layer, activation] = [choices & 3, (choices >> 2) & 3];
  if (layer >= LAYERS.length || activation >= ACTIVATIONS.length) {
    throw new SineFileError("is damaged: it has a layer or an activation that the format does not define");
  }
  const up = UPS[extras & UP_BITS];
  if (choices >> 7 ? !extras || !up : 0) {
    throw new SineFileError("is damaged: its extras byte is empty, or has an up axis that the format lacks");
  }
  const numbers = new NumberReader(header, 1 + (choices >> 7));
  const [factored, isSine] = [LAYERS[layer] !== "dense", LAYERS[layer] === "sine"];
  /** @type {OccupancyConfig} */
  const config = {
    layer: LAYERS[layer],
    activation: ACTIVATIONS[activation],
    width: numbers.whole(),
    depth: numbers.whole(),
    rank: factored ? numbers.whole() : 1,
    omega: isSine ? numbers.multiple(10) : 1,
    spread: isSine ? numbers.multiple(100) : 1,
    bandwidth: ACTIVATIONS[activation] === "relu" ? 1 : numbers.multiple(10),
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
  const scale = numbers.scale();
  if (!(Number.isFinite(scale) && scale > 0)) throw new SineFileError("is damaged: its placement is invalid");
  const coordinate = () => (numbers.signed(7) * scale) / 64;
  /** @type {Placement} */
  const placement = {
    centre: [coordinate(), coordinate(), coordinate()], scale, up, mirror: extras & MIRROR ? readMirror(numbers) : null,
    pieces: extras >> PIECES,
  };
  if (numbers.place !== header.length) throw wrongLength();
  return { config, placement };
}

const wrongLength = () => new SineFileError("is damaged: its header has the wrong length");

/** The numbers of a header, one after the other. */
class NumberReader {
  /** @param {Uint8Array} header @param {number} place of the first */
  constructor(header, place) {
    this.header = header;
    this.place = place;
  }

  whole() {
    const [value, end] = readVarint(this.header, this.place);
    this.place = end;
    return value;
  }

  /** @param {number} longest number of bytes */
  signed(longest = 4) {
    const [value, end] = readSignedVarint(this.header, this.place, longest);
    this.place = end;
    return value;
  }

  /** A multiple of 1 / parts, or 0 and then a float32. @param {number} parts */
  multiple(parts) {
    const count = this.whole();
    return count ? count / parts : short(view(this.#next(4)).getFloat32(0, true));
  }

  /** The upper 17 bits of a positive float32, as 16 bits. */
  scale() {
    return float32(view(this.#next(2)).getUint16(0, true) * 2 ** 15);
  }

  /** @param {number} count */
  #next(count) {
    if (this.place + count > this.header.length) throw wrongLength();
    this.place += count;
    return this.header.subarray(this.place - count, this.place);
  }
}

/**
 * @param {NumberReader} numbers
 * @returns {Mirror}
 */
function readMirror(numbers) {
  const [x, y, z, offset] = [numbers.signed(), numbers.signed(), numbers.signed(), numbers.signed()];
  const norm = Math.hypot(x, y, z);
  if (!norm || Math.max(...[x, y, z, offset].map(Math.abs)) > LARGEST_PLANE) {
    throw new SineFileError("is damaged: its plane of symmetry has no direction, or is beyond the format's bounds");
  }
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
