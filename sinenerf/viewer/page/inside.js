// The tab "Inside the network": what each layer is made of.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

/** Singular values, the largest as 1, over their index; a dot marks the stable rank. */
function spectrum({ singular, stable_rank: rank }) {
  const [width, height, margin] = [240, 120, 22];
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", `0 0 ${width} ${height}`);
  made.setAttribute("class", "spectrum");
  const x = (i) => margin + ((width - margin - 6) * i) / Math.max(1, singular.length - 1);
  const y = (v) => height - 16 - (height - 26) * v;
  const add = (tag, given, text = "") => {
    const part = made.appendChild(document.createElementNS(SVG, tag));
    for (const [key, value] of Object.entries(given)) part.setAttribute(key, value);
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
  return made;
}

function matrix(name, { data, rows, columns, largest }) {
  const made = make("figure", `matrix ${name}`);
  const picture = made.appendChild(new Image());
  picture.src = data;
  picture.alt = `${name}, ${rows} × ${columns}`;
  const side = (n) => `${Math.min(190, Math.max(1.2, Math.min(8, 140 / n)) * n)}px`; // of few columns, wide ones
  Object.assign(picture.style, { width: side(columns), height: side(rows) });
  made.append(make("figcaption", "", `${name}  ${rows} × ${columns}, ±${largest.toPrecision(2)}`));
  return made;
}

function layerCard(layer) {
  const card = make("article");
  card.append(make("h3", "", layer.name), make("p", "equation", layer.equation));
  const pictures = card.appendChild(make("div", "matrices"));
  for (const [name, picture] of Object.entries(layer.pictures)) pictures.append(matrix(name, picture));
  const values = pictures.appendChild(make("figure"));
  const rank = layer.stable_rank.toFixed(1);
  values.append(spectrum(layer), make("figcaption", "", `singular values, largest = 1; stable rank ${rank} of ${layer.singular.length}`));
  const total = Object.values(layer.bytes).reduce((a, b) => a + b, 0);
  const parts = Object.entries(layer.bytes).map(([name, bytes]) => `${name} ${bytes}`).join(", ");
  card.append(make("p", "bytes", `${layer.parameters.toLocaleString("en")} parameters in ${total.toFixed(0)} bytes: ${parts}`));
  return card;
}

class InsidePage {
  constructor(holder) {
    this.holder = holder;
    this.known = new Map();
  }

  async show(items) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const fields = items.filter((item) => item.kind !== "mesh");
    this.holder.replaceChildren();
    if (!fields.length) this.holder.append(make("p", "hint", "A mesh has no network inside."));
    for (const item of fields) {
      if (turn !== this.turn) return; // a later call has begun anew
      const section = this.holder.appendChild(make("section"));
      section.append(make("h2", "", item.name));
      const waits = section.appendChild(make("p", "hint", "decomposing every layer …"));
      try {
        if (!this.known.has(item.id)) this.known.set(item.id, await askJson("/inside", { item: item.id }));
        waits.remove();
        section.append(...this.known.get(item.id).map(layerCard));
      } catch (error) {
        waits.textContent = error.message;
      }
    }
  }
}
