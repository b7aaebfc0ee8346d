/** The connected pieces of a surface: the specks that a small field leaves in the air are left out. */

const SPECK = 0.1; // of the largest piece's faces, below which a piece can be left out

/** @typedef {import("./surface.js").Mesh} Mesh */

/**
 * The `count` pieces with the most faces, and others that are no specks; the mesh itself if it has no more. Coarse cells
 * and high levels tear thin parts, and what they tear off is no speck.
 *
 * @param {Mesh} mesh
 * @param {number} count
 * @returns {Mesh}
 */
export function withoutSpecks({ positions, indices }, count) {
  const parents = Int32Array.from({ length: positions.length / 3 }, (_, i) => i);
  /** The vertex that stands for a vertex's piece. @param {number} vertex */
  const root = (vertex) => {
    while (parents[vertex] !== vertex) vertex = parents[vertex] = parents[parents[vertex]];
    return vertex;
  };
  for (let i = 0; i < indices.length; i += 3) {
    for (const next of [1, 2]) parents[root(indices[i])] = root(indices[i + next]);
  }
  /** Faces by piece, in the order of their first face. @type {Map<number, number>} */
  const sizes = new Map();
  for (let i = 0; i < indices.length; i += 3) sizes.set(root(indices[i]), (sizes.get(root(indices[i])) ?? 0) + 1);
  if (sizes.size <= count) return { positions, indices };
  const pieces = [...sizes].sort(([, a], [, b]) => b - a);
  const kept = new Set(pieces.filter(([, size], i) => i < count || size >= SPECK * pieces[0][1]).map(([piece]) => piece));
  const numbers = new Int32Array(parents.length); // of the vertices that are kept, from 1 on
  /** @type {number[]} */
  const places = [];
  const faces = indices.filter((vertex) => kept.has(root(vertex)));
  const renumbered = faces.map((vertex) => {
    if (!numbers[vertex]) {
      numbers[vertex] = places.length / 3 + 1;
      places.push(positions[3 * vertex], positions[3 * vertex + 1], positions[3 * vertex + 2]);
    }
    return numbers[vertex] - 1;
  });
  return { positions: Float32Array.from(places), indices: renumbered };
}
