/** The text of the shaders that render one scene: constants of its file, then what the .wgsl files hold. */

import { inFours } from "../field/layer_engine.js";
import { encodedSize } from "../field/radiance_networks.js";
import { INVISIBLE, OPAQUE, PADDING } from "../field/ray_marcher.js";
import bindings from "./bindings.wgsl";
import box from "./box.wgsl";
import contraction from "./contraction.wgsl";
import densities from "./densities.wgsl";
import march from "./march.wgsl";
import ndc from "./ndc.wgsl";
import network from "./network.wgsl";
import raysText from "./rays.wgsl";
import straight from "./straight.wgsl";

/** @typedef {import("./arrangement.js").Arrangement} Arrangement */
/** @typedef {import("./arrangement.js").Call} Call */
/** @typedef {import("../decoder/radiance.js").RadianceConfig} RadianceConfig */
/** @typedef {import("../decoder/radiance.js").Warp} Warp */
/** @typedef {ReturnType<typeof import("./arrangement.js").headOf>} Head */

/** Numbers of a scene that size its buffers.
 * @typedef {{ capacity: number, samples: number, slabs: number }} Sizes rays of a tile, samples of network 1, and slabs of them */

/** @param {RadianceConfig} config */
export const samplesOf = ({ sampling, coarseSamples, fineSamples }) => fineSamples + (sampling === "proposal" ? 0 : coarseSamples + 1);

/**
 * @param {import("../decoder/index.js").RadianceFile} file
 * @param {Arrangement} first of network 0
 * @param {Arrangement} second of network 1
 * @param {Head} head
 * @param {Sizes} sizes
 */
export function shadersOf({ config, warp }, first, second, head, sizes) {
  const isProposal = config.sampling === "proposal";
  const shared = [constants({
    CAPACITY: whole(sizes.capacity), SLABS: whole(sizes.slabs), SAMPLES: whole(sizes.samples),
    BINS: whole(config.coarseSamples), FINE_SAMPLES: whole(config.fineSamples), JOINS_BINS: !isProposal,
    PADDING, OPAQUE, INVISIBLE, BEHIND: float(config.background === "white" ? 1 : 0), FILLS: config.background === "last_sample",
    IS_EXP: config.densityActivation === "exp",
  }), bindings, warpText(warp)];
  const ofHead = {
    COLOURS: `array(${head.colours.map(({ place }) => whole(place)).join(", ")})`, VIEW_ROWS: whole(4 * head.feature.blocks), DIRECTION_OCTAVES: whole(config.directionFrequencies),
  };
  const views = { OF_FEATURES: callText(head.feature), OF_DIRECTION: callText(head.direction) };
  return {
    rays: [...shared, raysText].join("\n"),
    densities: [...shared, networkText(first, isProposal ? config.proposalFrequencies : config.positionFrequencies), densities].join("\n"),
    march: [...shared, networkText(second, config.positionFrequencies), constants({ ...ofHead, ...views }), march].join("\n"),
  };
}

/** Rows that the encoded direction, and what is made of it, need. @param {RadianceConfig} config */
export const rowsOfDirection = ({ directionFrequencies, width }) => Math.max(encodedSize(directionFrequencies), inFours(width >> 1));

/** @param {Arrangement} arrangement @param {number} octaves */
function networkText({ lanes, groups, rows, base, layers, density }, octaves) {
  return constants({
    LANES: whole(lanes), GROUPS: whole(groups), ROWS: whole(rows), BASE: whole(base), OCTAVES: whole(octaves),
    DEPTH: whole(layers.length), LAYERS: `array(${layers.map(callText).join(", ")})`, DENSITY: callText(density),
  }) + network;
}

/** As `dense` and `single` take it. @param {Call} call */
const callText = ({ place, inputs, row, blocks }) => `vec4u(${place}, ${inputs}, ${row}, ${blocks})`;

/** @param {Warp} warp */
function warpText(warp) {
  if (warp.kind === "ndc") return constants({ TAN_X: float(warp.tanX), TAN_Y: float(warp.tanY), NEAR: float(warp.near) }) + ndc + straight;
  const placed = { CENTRE: vector(warp.centre), NEAR: float(warp.near) };
  if (warp.kind === "contraction") return constants({ ...placed, RADIUS: float(warp.radius) }) + contraction;
  return constants({ ...placed, HALF: vector(warp.half), LONGEST: float(Math.max(...warp.half)) }) + box + straight;
}

/** @param {Record<string, string | number | boolean>} values */
const constants = (values) => Object.entries(values).map(([name, value]) => `const ${name} = ${value};\n`).join("");
/** @param {number} value */
const whole = (value) => `${value}u`;
/** @param {number} value */
const float = (value) => `f32(${value})`;
/** @param {number[]} values */
const vector = (values) => `vec3f(${values.map(float).join(", ")})`;
