// The lines of a field's label, from its decoded file.

/** @param {import("../decoder/index.js").OccupancyFile | import("../decoder/index.js").RadianceFile} file @param {number} size bytes */
export function captionOf({ config, tensors }, size) {
  const count = [...tensors.values()].reduce((sum, { values }) => sum + values.length, 0);
  const bits = (8 * size) / count;
  return {
    size: `${size.toLocaleString("en")} bytes`,
    parameters: `${count.toLocaleString("en")} parameters, ${bits.toFixed(2)} bits each`,
    layer: config.layer === "dense" ? config.layer : `${config.layer}, rank ${config.rank}`,
  };
}
