/** The header of a radiance field, and the shapes of its tensors. See docs/format.md. */

import { SineFileError, view } from "./container.js";
import { LAYERS, anchoredRows, checkBounds, short } from "./settings.js";

/** @typedef {import("./tensors.js").Shapes} Shapes */
/**
 * @typedef {object} RadianceConfig
 * @property {import("./settings.js").LayerKind} layer
 * @property {"coarse-fine" | "proposal"} sampling whether a radiance or a density network places the samples
 * @property {"softplus" | "exp"} densityActivation
 * @property {"last_sample" | "white" | "black"} background what shows where a ray is not full
 * @property {boolean} learnOmega
 * @property {boolean} learnGain
 * @property {{ input: boolean, hidden: boolean, head: boolean }} factored
 * @property {boolean} anchored
 * @property {boolean} paper the gain, and the rows of V that are fixed, are those of the paper's initialisation
 * @property {number} width
 * @property {number} depth
 * @property {number} rank
 * @property {number} skips bit i: the encoded position joins the features after layer i
 * @property {number} positionFrequencies
 * @property {number} directionFrequencies
 * @property {number} coarseSamples
 * @property {number} fineSamples
 * @property {number} proposalWidth
 * @property {number} proposalDepth
 * @property {number} proposalFrequencies
 * @property {number} omega
 * @property {number} spread
 */
/**
 * How the scene is warped into the cube: by NDC, by its bounding box, or by a contraction of all space.
 *
 * @typedef {{ kind: "ndc", tanX: number, tanY: number, near: number }
 *   | { kind: "box", centre: number[], half: number[], near: number }
 *   | { kind: "contraction", centre: number[], radius: number, near: number }} Warp
 */
/** @typedef {{ fx: number, fy: number, cx: number, cy: number, width: number, height: number }} Lens */
/**
 * Which photographs were held out of the training: the rule that chose them, its parameter, the CRC-32 of their names.
 *
 * @typedef {{ rule: "none" | "every" | "spread" | "named", parameter: number, checksum: number }} Split
 */
/**
 * Where the scene was captured: x_scene = scale (motion [x, 1]); rotations are 3 x 3, rows first.
 *
 * @typedef {{ motion: number[], scale: number, rotation: number[], position: number[], radii: number[],
 *   focus: number, lens: Lens, split: Split | null }} Capture
 */
/** @typedef {"input" | "hidden" | "head"} Role */

const SIZES_BYTES = 19;
const FLOATS = 38;
const HEADER_BYTES = SIZES_BYTES + 4 * FLOATS + 4;
const SPLIT_BYTES = 7;
const LARGEST_BAKED = 2 ** 24;
const LARGEST_PICTURE = 2 ** 14;
const LARGEST_FLOAT = 1e9;
const [BOX, CONTRACTION] = [1 << 11, 1 << 13];
const WARP_BITS = BOX | CONTRACTION;
const HAS_SPLIT = 1 << 14;

/**
 * @param {Uint8Array} header
 * @returns {{ config: RadianceConfig, warp: Warp, far: number, capture: Capture }}
 * @throws {SineFileError} an invalid header, or one out of the format's bounds
 */
export function readRadianceHeader(header) {
  const hasSplit = header.length === HEADER_BYTES + SPLIT_BYTES;
  if (header.length !== HEADER_BYTES && !hasSplit) throw new SineFileError("is damaged: its header has the wrong length");
  const data = view(header);
  if (Boolean(data.getUint16(0, true) & HAS_SPLIT) !== hasSplit) {
    throw new SineFileError("is damaged: its header has the wrong length");
  }
  const numbers = Array.from({ length: FLOATS }, (_, i) => data.getFloat32(SIZES_BYTES + 4 * i, true));
  if (!numbers.every((x) => Math.abs(x) <= LARGEST_FLOAT)) {
    throw new SineFileError("is damaged: its header holds a number that is not finite");
  }
  const config = readConfig(data, short(numbers[0]), short(numbers[1]));
  const warp = readWarp(data.getUint16(0, true) & WARP_BITS, numbers.slice(2, 9));
  const pixels = [data.getUint16(HEADER_BYTES - 4, true), data.getUint16(HEADER_BYTES - 2, true)];
  const capture = { ...readCapture(numbers.slice(10), pixels), split: hasSplit ? readSplit(data) : null };
  return { config, warp, far: numbers[9], capture };
}

/**
 * @param {DataView} data
 * @returns {Split}
 */
function readSplit(data) {
  const rule = /** @type {const} */ (["none", "every", "spread", "named"])[data.getUint8(HEADER_BYTES)];
  const parameter = data.getUint16(HEADER_BYTES + 1, true);
  if (rule === undefined || (parameter === 0) !== (rule === "none")) {
    throw new SineFileError("is damaged: its header has a split that the format does not have");
  }
  return { rule, parameter, checksum: data.getUint32(HEADER_BYTES + 3, true) };
}

/**
 * @param {DataView} data
 * @param {number} omega
 * @param {number} spread
 * @returns {RadianceConfig}
 */
function readConfig(data, omega, spread) {
  const choices = data.getUint16(0, true);
  const [layer, background] = [choices & 3, (choices >> 4) & 3];
  /** @param {number} bit */
  const flag = (bit) => Boolean((choices >> bit) & 1);
  /** @type {RadianceConfig} */
  const config = {
    layer: LAYERS[layer],
    sampling: flag(2) ? "proposal" : "coarse-fine",
    densityActivation: flag(3) ? "exp" : "softplus",
    background: /** @type {const} */ (["last_sample", "white", "black"])[background],
    learnOmega: flag(6),
    learnGain: flag(7),
    factored: { input: flag(8), hidden: flag(9), head: flag(10) },
    anchored: flag(12),
    paper: flag(15),
    width: data.getUint16(2, true),
    depth: data.getUint8(4),
    rank: data.getUint16(5, true),
    skips: data.getUint16(7, true),
    positionFrequencies: data.getUint8(9),
    directionFrequencies: data.getUint8(10),
    coarseSamples: data.getUint16(11, true),
    fineSamples: data.getUint16(13, true),
    proposalWidth: data.getUint16(15, true),
    proposalDepth: data.getUint8(17),
    proposalFrequencies: data.getUint8(18),
    omega,
    spread,
  };
  if (layer >= LAYERS.length || background > 2 || config.skips >> config.depth) {
    throw new SineFileError("is damaged: it has a layer, a background or a skip that the format does not define");
  }
  const [size, depth, samples, octaves, scalar] =
    /** @type {[number, number][]} */ ([[1, 65535], [1, 16], [1, 1024], [0, 24], [1e-3, 1e6]]);
  checkBounds(config, {
    width: [2, 65535], depth, rank: size, positionFrequencies: octaves, directionFrequencies: octaves,
    coarseSamples: samples, fineSamples: samples, proposalWidth: size, proposalDepth: depth,
    proposalFrequencies: octaves, omega: scalar, spread: scalar,
  });
  if (bakedSize(config) > LARGEST_BAKED) {
    throw new SineFileError("is damaged: its networks are larger than the format allows");
  }
  radianceShapes(config);
  return config;
}

/**
 * Bound on the weights that are built.
 *
 * @param {RadianceConfig} c
 */
function bakedSize(c) {
  const inputs = 3 + 6 * Math.max(c.positionFrequencies, c.directionFrequencies, c.proposalFrequencies);
  const networks = c.sampling === "coarse-fine" ? 2 : 1;
  const ofProposal = c.proposalDepth * (c.proposalWidth + inputs) ** 2;
  return networks * (c.depth + 3) * (c.width + inputs) ** 2 + ofProposal;
}

/**
 * @param {number} bits
 * @param {number[]} numbers
 * @returns {Warp}
 */
function readWarp(bits, numbers) {
  if (bits === WARP_BITS) throw new SineFileError("is damaged: it has a warp that the format does not define");
  const lengths = bits === BOX ? numbers.slice(3) : bits === CONTRACTION ? numbers.slice(3, 5) : numbers.slice(0, 3);
  if (Math.min(...lengths) <= 0) throw new SineFileError("is damaged: its scene has no extent");
  const used = bits === BOX ? 7 : bits === CONTRACTION ? 5 : 3;
  if (numbers.slice(used).some((x) => x !== 0)) {
    throw new SineFileError("is damaged: its warp has more numbers than the format defines");
  }
  const centre = numbers.slice(0, 3);
  if (bits === BOX) return { kind: "box", centre, half: numbers.slice(3, 6), near: numbers[6] };
  if (bits === CONTRACTION) return { kind: "contraction", centre, radius: numbers[3], near: numbers[4] };
  return { kind: "ndc", tanX: numbers[0], tanY: numbers[1], near: numbers[2] };
}

/**
 * @param {number[]} numbers
 * @param {number[]} pixels
 * @returns {Omit<Capture, "split">}
 */
function readCapture(numbers, [width, height]) {
  const [fx, fy, cx, cy] = numbers.slice(24, 28);
  const scale = numbers[12];
  const isPicture = [width, height].every((side) => side > 0 && side <= LARGEST_PICTURE);
  const quaternion = numbers.slice(13, 17);
  const length = Math.hypot(...quaternion);
  if (!(Math.min(scale, fx, fy) > 0 && isPicture && length ** 2 >= 0.5)) {
    throw new SineFileError("is damaged: its camera is invalid");
  }
  return {
    motion: numbers.slice(0, 12),
    scale,
    rotation: rotationOf(quaternion.map((x) => x / length)),
    position: numbers.slice(17, 20),
    radii: numbers.slice(20, 23),
    focus: numbers[23],
    lens: { fx, fy, cx, cy, width, height },
  };
}

/**
 * The matrix of a unit quaternion (w, x, y, z), rows first.
 *
 * @param {number[]} quaternion
 */
function rotationOf([w, x, y, z]) {
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
  ];
}

/**
 * Names and shapes of a field's tensors, in the file's order: first the network that places the samples.
 *
 * @param {RadianceConfig} config
 * @returns {Shapes}
 * @throws {SineFileError} a rank that does not fit a factored layer
 */
export function radianceShapes(config) {
  const first = config.sampling === "proposal" ? proposalShapes(config) : radianceNetworkShapes(config);
  /** @type {(network: string) => (entry: [string, number[]]) => [string, number[]]} */
  const within = (network) => ([name, shape]) => [`${network}.${name}`, shape];
  return [...first.map(within("coarse")), ...radianceNetworkShapes(config).map(within("fine"))];
}

/**
 * @param {RadianceConfig} config
 * @returns {Shapes}
 */
function radianceNetworkShapes(config) {
  const { width, depth, rank, skips } = config;
  const { shapes, size } = trunkShapes(config, width, depth, rank, skips, 3 + 6 * config.positionFrequencies);
  const half = Math.floor(width / 2);
  shapes.push(...layerShapes(config, "density", "head", 1, size, rank));
  shapes.push(...layerShapes(config, "feature", "head", width, size, rank));
  shapes.push(...layerShapes(config, "view", "head", half, width + 3 + 6 * config.directionFrequencies, rank));
  shapes.push(...layerShapes(config, "colour", "head", 3, half, rank));
  return shapes;
}

/**
 * @param {RadianceConfig} config
 * @returns {Shapes}
 */
function proposalShapes(config) {
  const rank = proposalRank(config);
  const inputs = 3 + 6 * config.proposalFrequencies;
  const { shapes, size } = trunkShapes(config, config.proposalWidth, config.proposalDepth, rank, 0, inputs);
  shapes.push(...layerShapes(config, "head", "head", 1, size, rank));
  return shapes;
}

/**
 * Beyond a quarter of the width, factors save nothing.
 *
 * @param {RadianceConfig} config
 */
export const proposalRank = ({ rank, proposalWidth }) => Math.min(rank, Math.max(1, Math.floor(proposalWidth / 4)));

/**
 * @param {RadianceConfig} config
 * @param {number} width
 * @param {number} depth
 * @param {number} rank
 * @param {number} skips
 * @param {number} inputs
 * @returns {{ shapes: Shapes, size: number }} size: features that leave the trunk
 */
function trunkShapes(config, width, depth, rank, skips, inputs) {
  /** @type {Shapes} */
  const shapes = [];
  let size = inputs;
  for (let i = 0; i < depth; i++) {
    shapes.push(...layerShapes(config, `trunk.layers.${i}`, i ? "hidden" : "input", width, size, rank));
    size = width + ((skips >> i) & 1 ? inputs : 0);
  }
  return { shapes, size };
}

/**
 * @param {RadianceConfig} config
 * @param {string} name
 * @param {Role} role
 * @param {number} outputs
 * @param {number} inputs
 * @param {number} rank
 * @returns {Shapes}
 */
function layerShapes(config, name, role, outputs, inputs, rank) {
  const isLarger = role === "head" && rank * (outputs + inputs) >= outputs * inputs;
  if (config.layer === "dense" || !config.factored[role] || isLarger) {
    return [[`${name}.weight`, [outputs, inputs]], [`${name}.bias`, [outputs]]];
  }
  if (rank > Math.min(outputs, inputs)) {
    throw new SineFileError(`is damaged: rank ${rank} does not fit a layer of ${inputs} inputs and ${outputs} outputs`);
  }
  const fixed = config.anchored ? anchoredRows(rank, inputs) : 0;
  /** @type {Shapes} */
  const shapes = [[`${name}.U`, [outputs, rank]], [`${name}.V`, [inputs - fixed, rank]], [`${name}.bias`, [outputs]]];
  if (config.layer === "sine" && config.learnOmega) shapes.push([`${name}.omega`, []]);
  if (config.layer === "sine" && config.learnGain) shapes.push([`${name}.gain`, []]);
  return shapes;
}
