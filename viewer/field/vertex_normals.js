/** Normals of a surface, found by a worker: the page stays free. */

/**
 * Unit normals at the vertices: the sum of the normals of their faces, which are as long as the faces are large.
 *
 * @param {import("./surface.js").Mesh} mesh
 * @returns {Float32Array<ArrayBuffer>} (v, 3)
 */
export function vertexNormals({ positions: p, indices }) {
  const normals = new Float32Array(p.length);
  for (let face = 0; face < indices.length; face += 3) {
    const [a, b, c] = [3 * indices[face], 3 * indices[face + 1], 3 * indices[face + 2]];
    const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
    const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
    const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const at of [a, b, c]) {
      normals[at] += x;
      normals[at + 1] += y;
      normals[at + 2] += z;
    }
  }
  for (let at = 0; at < normals.length; at += 3) {
    const length = Math.hypot(normals[at], normals[at + 1], normals[at + 2]) || 1;
    for (let axis = 0; axis < 3; axis++) normals[at + axis] /= length;
  }
  return normals;
}
