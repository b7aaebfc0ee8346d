/**
 * Decode a .sine file: a whole reader of docs/format.md, which needs no page and no network.
 */

import { decodeAdapter } from "./adapter.js";
import { ADAPTER, OCCUPANCY, RADIANCE, SineFileError, openContainer } from "./container.js";
import { occupancyShapes, readOccupancyHeader } from "./occupancy.js";
import { radianceShapes, readRadianceHeader } from "./radiance.js";
import { readTensors } from "./tensors.js";

export { SineFileError, decodeAdapter };

/** @typedef {Map<string, import("./tensors.js").Tensor>} Tensors */
/**
 * @typedef {{ kind: "occupancy", config: import("./occupancy.js").OccupancyConfig,
 *   placement: import("./occupancy.js").Placement, tensors: Tensors }} OccupancyFile
 */
/**
 * @typedef {{ kind: "radiance", config: import("./radiance.js").RadianceConfig, warp: import("./radiance.js").Warp,
 *   far: number, capture: import("./radiance.js").Capture, tensors: Tensors }} RadianceFile
 */

/**
 * @param {Uint8Array} data the whole file
 * @returns {OccupancyFile | RadianceFile}
 * @throws {SineFileError} not a .sine file, of a newer version, damaged, or an adapter
 */
export function decode(data) {
  const container = openContainer(data);
  if (container.kind === OCCUPANCY) {
    const header = readOccupancyHeader(container.header);
    return { kind: "occupancy", ...header, tensors: readTensors(container, occupancyShapes(header.config)) };
  }
  if (container.kind === RADIANCE) {
    const header = readRadianceHeader(container.header);
    return { kind: "radiance", ...header, tensors: readTensors(container, radianceShapes(header.config)) };
  }
  if (container.kind === ADAPTER) throw new SineFileError("holds an adapter, which needs its model: nothing to show");
  throw new SineFileError(`is damaged: it is of the unknown kind ${container.kind}`);
}
