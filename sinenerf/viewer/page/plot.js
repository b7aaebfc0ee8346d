// A folder of results: pointing at a mark shows its settings, a click opens its field, shift-click beside the others.
"use strict";

class PlotPage {
  constructor(holder, open) {
    this.holder = holder;
    this.open = open;
    const axes = make("div", "axes");
    for (const axis of ["bytes", "parameters", "seconds"]) {
      const button = axes.appendChild(make("button", "", axis));
      button.addEventListener("click", () => this.show(axis));
    }
    this.axes = axes;
    this.datasets = make("div", "axes"); // filled where there are several
    this.drawing = make("div", "drawing");
    this.hint = make("p", "hint", "Click a mark to open its field; shift-click puts it beside the others.");
    this.note = make("div", "settings");
    holder.append(this.datasets, axes, this.drawing, this.hint, this.note);
  }

  async show(axis) {
    for (const button of this.axes.children) button.setAttribute("aria-selected", button.textContent === axis);
    try {
      const { svg, notes, datasets, dataset } = await askJson("/plot", { axis, dataset: this.dataset ?? "" });
      this.choices(datasets, dataset, axis);
      this.drawing.innerHTML = svg; // the server's own drawing
      for (const [id, note] of Object.entries(notes)) this.listen(document.getElementById(id), note);
    } catch (error) {
      this.drawing.textContent = error.message;
    }
  }

  choices(datasets, dataset, axis) {
    this.dataset = dataset;
    if (datasets.length < 2) return;
    this.datasets.replaceChildren(
      ...datasets.map((name) => {
        const button = make("button", "", name);
        button.setAttribute("aria-selected", name === dataset);
        button.addEventListener("click", () => {
          this.dataset = name;
          this.show(axis);
        });
        return button;
      }),
    );
  }

  listen(mark, note) {
    if (!mark) return;
    mark.classList.add("mark");
    mark.classList.toggle("closed", !note.open);
    mark.addEventListener("pointerenter", () => this.tell(note));
    mark.addEventListener("click", (event) => this.choose(mark, note, event.shiftKey));
  }

  async choose(mark, note, beside) {
    this.tell(note);
    beside = beside && this.opened === this.dataset; // shapes and photographs do not share a camera
    if (!beside) this.drawing.querySelectorAll(".chosen").forEach((other) => other.classList.remove("chosen"));
    try {
      const item = await askJson("/open", { key: note.key });
      mark.classList.add("chosen");
      this.opened = this.dataset;
      this.open({ ...item, name: note.title }, beside);
    } catch (error) {
      this.note.prepend(make("p", "error", error.message));
    }
  }

  tell(note) {
    const shown = (v) => (typeof v === "number" && !Number.isInteger(v) ? v.toPrecision(4) : String(v));
    const table = make("table");
    for (const [key, value] of Object.entries({ ...note.rows, ...note.settings })) {
      const cells = table.insertRow();
      cells.insertCell().textContent = key;
      cells.insertCell().textContent = shown(value);
    }
    this.note.replaceChildren(make("h3", "", note.title), table);
  }
}
