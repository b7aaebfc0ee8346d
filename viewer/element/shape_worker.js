/** A worker that decodes a shape and posts its surface, coarse first: one mesh, and a finer one whenever it is asked. */

import { SineFileError, decode } from "../decoder/index.js";
import { folded } from "../field/mirror.js";
import { bakedNetwork, plainEvaluator } from "../field/occupancy_network.js";
import { withoutSpecks } from "../field/pieces.js";
import { simdEvaluator } from "../field/simd_evaluator.js";
import { SurfaceError, SurfaceGrid } from "../field/surface.js";
import { vertexNormals } from "../field/vertex_normals.js";
import kernel from "../kernel/occupancy.wasm";
import { complaintOf } from "./messages.js";

const COARSEST = 64; // cells a side of the first mesh

/** @typedef {{ data: Uint8Array, level: number, cells: number }} Request */
/** @typedef {import("../field/surface.js").Mesh & { normals: Float32Array, cells: number, isLast: boolean, centre: number[], scale: number, up: string }} Reply */

/** Finds the next mesh. @type {() => void} */
let finer;

/** @param {Request} request */
async function begin({ data, level, cells }) {
  const file = decode(data);
  if (file.kind !== "occupancy") throw new SineFileError("holds no shape");
  const network = bakedNetwork(file);
  const known = await simdEvaluator(network, kernel).catch(() => plainEvaluator(network));
  const grid = new SurfaceGrid(folded(known, file.placement.mirror), cells, level);
  let size = Math.min(COARSEST, cells);
  finer = () => {
    const whole = grid.mesh(size);
    const mesh = file.placement.pieces ? withoutSpecks(whole, file.placement.pieces) : whole;
    const normals = vertexNormals(mesh);
    /** @type {Reply} */
    const reply = { ...mesh, normals, cells: size, isLast: size === cells, ...file.placement };
    postMessage(reply, { transfer: [mesh.positions.buffer, mesh.indices.buffer, normals.buffer] });
    size *= 2;
  };
}

addEventListener("message", async ({ data }) => {
  try {
    if (data.data) await begin(data);
    finer();
  } catch (error) {
    postMessage({ error: complaintOf(error, SineFileError, SurfaceError) });
  }
});
