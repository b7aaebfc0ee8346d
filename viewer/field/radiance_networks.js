/** The two networks of a radiance field, baked, for batches of 32 points of the cube. See docs/format.md. */

import { POINTS, inFours } from "./layer_engine.js";
import { bakedLayer } from "./weights.js";

/** @typedef {import("./layer_engine.js").LayerEngine} LayerEngine */
/** @typedef {import("./layer_engine.js").PackedLayer} PackedLayer */
/** @typedef {import("./weights.js").DenseLayer} DenseLayer */
/** @typedef {import("../decoder/index.js").RadianceFile} RadianceFile */
/** @typedef {{ layers: DenseLayer[], density: DenseLayer, octaves: number, skips: number }} Trunk */
/** Colours; view: of the features, then the encoded direction.
 * @typedef {{ view: DenseLayer, colour: DenseLayer, octaves: number }} Head */

const ROW = 4 * POINTS;

/** @param {number} octaves */
export const encodedSize = (octaves) => 3 + 6 * octaves;
/** @param {number} from @param {number} count */
const range = (from, count) => Array.from({ length: count }, (_, i) => from + i);

/**
 * A density for each point of a batch.
 *
 * Features lie in two buffers in turn: the encoded position, then a layer's outputs, then the encoded direction.
 */
export class DensityNetwork {
  /** @param {LayerEngine} engine @param {Trunk} trunk @param {"softplus" | "exp"} activation @param {number} [directionOctaves] */
  constructor(engine, trunk, activation, directionOctaves = 0) {
    const { layers, density, octaves, skips } = trunk;
    this.engine = engine;
    this.trunk = trunk;
    this.activation = activation;
    this.octaves = octaves;
    this.encoded = encodedSize(octaves);
    this.width = layers[0].outputs;
    const rows = this.encoded + inFours(this.width) + encodedSize(directionOctaves);
    this.pointsAddress = engine.reserve(3 * POINTS);
    this.buffers = [0, 1].map(() => engine.reserve(rows * POINTS));
    this.resultAddress = engine.reserve(4 * POINTS);
    /** Whether a layer, by its index, is given the encoded position before the features. */
    this.joins = range(0, layers.length + 1).map((index) => index > 0 && Boolean((skips >> (index - 1)) & 1));
    this.layers = layers.map((layer, index) => engine.pack(layer, this.inputRows(index)));
    this.density = engine.pack(density, this.inputRows(layers.length));
  }

  /** Columns of the weights of a layer that follows `index` layers, by the rows that it reads. @param {number} index */
  inputRows(index) {
    if (index === 0) return range(0, this.encoded);
    const padding = range(0, inFours(this.width) - this.width).map(() => -1);
    return [...range(0, this.width + (this.joins[index] ? this.encoded : 0)), ...padding];
  }

  /** Views of the memory: once all networks have reserved theirs. */
  attached() {
    return {
      points: this.engine.view(this.pointsAddress, 3 * POINTS),
      result: this.engine.view(this.resultAddress, 4 * POINTS),
    };
  }

  /** Where the inputs of the layer after `index` layers begin. @param {number} index */
  inputAddress(index) {
    return this.buffers[index % 2] + (index === 0 || this.joins[index] ? 0 : this.encoded * ROW);
  }

  /** The density before its activation, of the 32 points at `points` (x of all, then y, then z), into `result`. */
  evaluateRaw() {
    this.encodePoints();
    this.layers.forEach((_, index) => this.runLayer(index));
    this.density.run(this.inputAddress(this.layers.length), this.resultAddress);
  }

  encodePoints() {
    for (const buffer of this.joins.some(Boolean) ? this.buffers : this.buffers.slice(0, 1)) {
      this.engine.encode(this.pointsAddress, this.octaves, buffer);
    }
  }

  /** @param {number} index of a layer of the trunk @returns {number} where its outputs lie */
  runLayer(index) {
    const output = this.buffers[(index + 1) % 2] + this.encoded * ROW;
    this.layers[index].run(this.inputAddress(index), output, true);
    return output;
  }

  /** The density per unit of the cube of the 32 points at `points`, into the first row of `result`. */
  evaluate() {
    this.evaluateRaw();
    const { result } = this.attached();
    for (let i = 0; i < POINTS; i++) {
      const raw = result[i];
      result[i] = this.activation === "exp" ? Math.exp(Math.min(raw, 12)) : Math.max(0, raw) + Math.log1p(Math.exp(-Math.abs(raw)));
    }
  }
}

/** A density, and the colour seen along a direction, for each point of a batch. */
export class RadianceNetwork extends DensityNetwork {
  /** @param {LayerEngine} engine @param {Trunk} trunk @param {"softplus" | "exp"} activation @param {Head} head */
  constructor(engine, trunk, activation, head) {
    super(engine, trunk, activation, head.octaves);
    const features = this.inputRows(trunk.layers.length);
    const size = head.view.inputs - encodedSize(head.octaves);
    this.directionOctaves = head.octaves;
    this.view = engine.pack(head.view, [...features, ...range(size, encodedSize(head.octaves))]);
    this.colour = engine.pack(head.colour, [...range(0, head.view.outputs), ...range(0, inFours(head.view.outputs) - head.view.outputs).map(() => -1)]);
    this.directionsAddress = engine.reserve(3 * POINTS);
    this.coloursAddress = engine.reserve(4 * POINTS);
  }

  /** Colours: red of all points, then green, then blue. */
  attached() {
    const directions = this.engine.view(this.directionsAddress, 3 * POINTS);
    return { ...super.attached(), directions, colours: this.engine.view(this.coloursAddress, 4 * POINTS) };
  }

  /** The colours of the points that `evaluate` was last called for, seen along `directions`, into `colours`. */
  evaluateColour() {
    const last = this.layers.length;
    const features = this.buffers[last % 2] + this.encoded * ROW;
    this.engine.encode(this.directionsAddress, this.directionOctaves, features + inFours(this.width) * ROW);
    const other = this.buffers[(last + 1) % 2];
    this.view.run(this.inputAddress(last), other, true);
    this.colour.run(other, this.coloursAddress);
    const { colours } = this.attached();
    for (let i = 0; i < 3 * POINTS; i++) colours[i] = 1 / (1 + Math.exp(-colours[i]));
  }
}

/**
 * Network 0, which places the samples, and network 1.
 *
 * @param {RadianceFile} file
 * @param {LayerEngine} engine
 * @returns {[DensityNetwork, RadianceNetwork]}
 */
export function bakedNetworks(file, engine) {
  const activation = file.config.densityActivation;
  const [first, { head, ...second }] = denseNetworks(file);
  return [new DensityNetwork(engine, first, activation), new RadianceNetwork(engine, second, activation, head)];
}

/**
 * The layers of network 0, and those of network 1 with its head.
 *
 * @param {RadianceFile} file
 * @returns {[Trunk, Trunk & { head: Head }]}
 */
export function denseNetworks({ config, tensors }) {
  const octaves = config.directionFrequencies;
  const isProposal = config.sampling === "proposal";
  const trunk = trunkOf(config, tensors, "fine", false);
  const feature = bakedLayer(tensors, "fine.feature", config, trunk.density.inputs, 1);
  const view = bakedLayer(tensors, "fine.view", config, config.width + encodedSize(octaves), Math.SQRT2);
  const colour = bakedLayer(tensors, "fine.colour", config, view.outputs, 1);
  return [trunkOf(config, tensors, "coarse", isProposal), { ...trunk, head: { view: composed(feature, view), colour, octaves } }];
}

/**
 * @param {import("../decoder/radiance.js").RadianceConfig} config
 * @param {import("./weights.js").Tensors} tensors
 * @param {string} network
 * @param {boolean} isProposal
 * @returns {Trunk}
 */
function trunkOf(config, tensors, network, isProposal) {
  const [depth, octaves, skips] = isProposal
    ? [config.proposalDepth, config.proposalFrequencies, 0]
    : [config.depth, config.positionFrequencies, config.skips];
  const encoded = encodedSize(octaves);
  /** @type {DenseLayer[]} */
  const layers = [];
  let size = encoded;
  for (let i = 0; i < depth; i++) {
    const layer = bakedLayer(tensors, `${network}.trunk.layers.${i}`, config, size, Math.SQRT2);
    layers.push(layer);
    size = layer.outputs + ((skips >> i) & 1 ? encoded : 0);
  }
  return { layers, density: bakedLayer(tensors, `${network}.${isProposal ? "head" : "density"}`, config, size, 1), octaves, skips };
}

/**
 * No activation stands between the feature and the view layer: one layer does the same with fewer products.
 *
 * @param {DenseLayer} feature
 * @param {DenseLayer} view of the feature, then of the encoded direction
 * @returns {DenseLayer}
 */
function composed(feature, view) {
  const direction = view.inputs - feature.outputs;
  const inputs = feature.inputs + direction;
  const weight = new Float32Array(view.outputs * inputs);
  const bias = view.bias.slice();
  const row = new Float64Array(feature.inputs);
  for (let output = 0; output < view.outputs; output++) {
    row.fill(0);
    let sum = bias[output];
    for (let k = 0; k < feature.outputs; k++) {
      const w = view.weight[output * view.inputs + k];
      sum += w * feature.bias[k];
      for (let i = 0; i < feature.inputs; i++) row[i] += w * feature.weight[k * feature.inputs + i];
    }
    bias[output] = sum;
    weight.set(row, output * inputs);
    const ofDirection = output * view.inputs + feature.outputs;
    weight.set(view.weight.subarray(ofDirection, ofDirection + direction), output * inputs + feature.inputs);
  }
  return { outputs: view.outputs, inputs, weight, bias };
}
