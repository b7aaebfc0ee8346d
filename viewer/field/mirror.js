/** A shape that is its own mirror image: its network knows one side of a plane. See docs/format.md. */

/**
 * @param {(points: Float32Array) => Float32Array} evaluate a network's logits at (n, 3) points
 * @param {import("../decoder/occupancy.js").Mirror | null} mirror
 * @returns {(points: Float32Array) => Float32Array} the field's logits at points of the cube
 */
export function folded(evaluate, mirror) {
  if (!mirror) return evaluate;
  const { normal: [x, y, z], offset } = mirror;
  return (points) => {
    const known = points.slice();
    for (let n = 0; n < known.length; n += 3) {
      const beyond = 2 * Math.min(0, x * known[n] + y * known[n + 1] + z * known[n + 2] - offset);
      known[n] -= beyond * x;
      known[n + 1] -= beyond * y;
      known[n + 2] -= beyond * z;
    }
    return evaluate(known);
  };
}
