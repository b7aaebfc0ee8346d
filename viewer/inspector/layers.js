/** The tab "Network layers": matrices, singular values and bytes of each layer. */

import { messageOf } from "../element/messages.js";
import { requestJson } from "./requests.js";
import { element } from "./stage.js";

/** @typedef {{ data: string, rows: number, columns: number, largest: number }} Picture of a matrix */
/** As `sinenerf.viewer.layer_inspection` lists them.
 * @typedef {{ name: string, equation: string, pictures: Record<string, Picture>, singular: number[], stable_rank: number,
 *   bytes: Record<string, number>, parameters: number }} Layer */

const SVG = "http://www.w3.org/2000/svg";

/** Singular values relative to the largest, over their index; a dashed line marks the stable rank. @param {Layer} layer */
function spectrumPlot({ singular, stable_rank: rank }) {
  const [width, height, margin] = [240, 120, 22];
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", "spectrum");
  /** @param {number} i */
  const x = (i) => margin + ((width - margin - 6) * i) / Math.max(1, singular.length - 1);
  /** @param {number} v */
  const y = (v) => height - 16 - (height - 26) * v;
  /** @param {string} tag @param {Record<string, string | number>} attributes */
  const add = (tag, attributes, text = "") => {
    const part = svg.appendChild(document.createElementNS(SVG, tag));
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, String(value));
    part.textContent = text;
  };
  for (const v of [0, 0.5, 1]) {
    add("line", { x1: margin, x2: width - 6, y1: y(v), y2: y(v), class: "grid" });
    add("text", { x: margin - 4, y: y(v) + 3, "text-anchor": "end" }, String(v));
  }
  add("text", { x: margin, y: height - 3 }, "1");
  add("text", { x: width - 6, y: height - 3, "text-anchor": "end" }, String(singular.length));
  const largest = singular[0] || 1;
  add("polyline", { points: singular.map((v, i) => `${x(i)},${y(v / largest)}`).join(" ") });
  add("line", { x1: x(rank - 1), x2: x(rank - 1), y1: y(0), y2: y(1), class: "rank" });
  return svg;
}

/** @param {string} name @param {Picture} picture */
function matrixFigure(name, { data, rows, columns, largest }) {
  const figure = element("figure", `matrix ${name}`);
  const picture = figure.appendChild(new Image());
  picture.src = data;
  picture.alt = `${name}, ${rows} × ${columns}`;
  /** @param {number} n */
  const side = (n) => `${Math.min(190, Math.max(1.2, Math.min(8, 140 / n)) * n)}px`; // few columns are drawn wide
  Object.assign(picture.style, { width: side(columns), height: side(rows) });
  figure.append(element("figcaption", "", `${name}  ${rows} × ${columns}, ±${largest.toPrecision(2)}`));
  return figure;
}

/** @param {Layer} layer */
function layerCard(layer) {
  const card = element("article");
  card.append(element("h3", "", layer.name), element("p", "equation", layer.equation));
  const figures = card.appendChild(element("div", "matrices"));
  for (const [name, picture] of Object.entries(layer.pictures)) figures.append(matrixFigure(name, picture));
  const spectrum = figures.appendChild(element("figure"));
  const rank = layer.stable_rank.toFixed(1);
  const caption = `singular values, relative to the largest; stable rank ${rank} of ${layer.singular.length}`;
  spectrum.append(spectrumPlot(layer), element("figcaption", "", caption));
  const total = Object.values(layer.bytes).reduce((a, b) => a + b, 0);
  const parts = Object.entries(layer.bytes).map(([name, bytes]) => `${name} ${bytes}`).join(", ");
  const count = layer.parameters.toLocaleString("en");
  card.append(element("p", "bytes", `${count} parameters in ${total.toFixed(0)} bytes: ${parts}`));
  return card;
}

export class LayersPage {
  #run = 0;

  /** @param {HTMLElement} container */
  constructor(container) {
    this.container = container;
  }

  /** @param {import("./requests.js").Asset[]} assets */
  async show(assets) {
    const run = ++this.#run;
    const fields = assets.filter((asset) => asset.kind !== "mesh");
    this.container.replaceChildren();
    if (!fields.length) this.container.append(element("p", "hint", "A mesh has no network."));
    for (const asset of fields) {
      if (run !== this.#run) return; // a later call has taken over
      const section = this.container.appendChild(element("section"));
      section.append(element("h2", "", asset.name));
      const message = section.appendChild(element("p", "hint", "decomposing every layer …"));
      try {
        /** @type {Layer[]} */
        const layers = await requestJson("/layers", { asset: asset.id });
        message.remove();
        section.append(...layers.map(layerCard));
      } catch (error) {
        message.textContent = messageOf(error);
      }
    }
  }
}
