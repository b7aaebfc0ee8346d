/** The gradient of a network's density, before its activation, at points of the cube: by reverse differentiation. */

import { POINTS, inFours } from "./layer_engine.js";

const ROW = 4 * POINTS;

export class DensityGradient {
  /** @param {import("./radiance_networks.js").DensityNetwork} network */
  constructor(network) {
    this.network = network;
    const { engine, trunk, encoded, width } = network;
    this.transposed = trunk.layers.map(({ outputs, inputs, weight }) => {
      const turned = new Float32Array(weight.length);
      for (let i = 0; i < weight.length; i++) turned[(i % inputs) * outputs + Math.floor(i / inputs)] = weight[i];
      return engine.pack({ outputs: inputs, inputs: outputs, weight: turned, bias: new Float32Array(inputs) });
    });
    this.rows = inFours(encoded + width);
    this.buffers = [0, 1].map(() => engine.reserve(this.rows * POINTS));
  }

  /** Of the 32 points at the network's `points`. @returns {Float64Array} (3, 32) */
  evaluate() {
    const { engine, trunk, joins, encoded } = this.network;
    const positive = this.#forward();
    const ofEncoding = new Float64Array(encoded * POINTS);
    /** @param {number} address */
    const addToEncoding = (address) => engine.view(address, encoded * POINTS).forEach((x, i) => (ofEncoding[i] += x));
    let [from, to] = this.buffers;
    const start = engine.view(from, this.rows * POINTS);
    trunk.density.weight.forEach((w, row) => start.fill(w, row * POINTS, (row + 1) * POINTS));
    for (let index = this.transposed.length; index > 0; index--) {
      if (joins[index]) addToEncoding(from);
      const features = from + (joins[index] ? encoded * ROW : 0);
      const gradient = engine.view(features, this.network.width * POINTS);
      gradient.forEach((_, i) => (gradient[i] = positive[index - 1][i] ? gradient[i] : 0));
      this.transposed[index - 1].run(features, to);
      [from, to] = [to, from];
    }
    addToEncoding(from);
    return this.#ofPoints(ofEncoding);
  }

  /** Run the trunk. Returns where the outputs of each layer are positive. */
  #forward() {
    const { network } = this;
    network.encodePoints();
    return network.layers.map((_, index) => {
      const output = network.runLayer(index);
      return Array.from(network.engine.view(output, network.width * POINTS), (x) => x > 0);
    });
  }

  /** From the gradient of the encoding to that of the points. @param {Float64Array} ofEncoding */
  #ofPoints(ofEncoding) {
    const { points } = this.network.attached();
    return Float64Array.from(points, (x, place) => {
      let sum = ofEncoding[place];
      for (let octave = 0; octave < this.network.octaves; octave++) {
        const row = place + 3 * POINTS * (1 + 2 * octave);
        const angle = x * 2 ** octave;
        sum += 2 ** octave * (Math.cos(angle) * ofEncoding[row] - Math.sin(angle) * ofEncoding[row + 3 * POINTS]);
      }
      return sum;
    });
  }
}
