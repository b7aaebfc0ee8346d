/** A folder of results: pointing at a mark, or its focus, shows its settings; a click or Enter opens its field. */

import { messageOf } from "../element/messages.js";
import { requestJson } from "./requests.js";
import { element } from "./stage.js";

/** @typedef {import("./requests.js").Asset} Asset */
/** What a mark stands for. @typedef {{ key: string, title: string, available: boolean, rows: Record<string, unknown>, settings: Record<string, unknown> }} Note */

export class PlotPage {
  /** Of which the marks are shown. */
  #dataset = "";
  /** Of which fields are shown. @type {string | undefined} */
  #opened;
  #run = 0;
  #choices = 0;

  /** @param {HTMLElement} container @param {(asset: Asset, beside: boolean) => void} open */
  constructor(container, open) {
    this.container = container;
    this.open = open;
    const axes = element("div", "axes");
    for (const axis of ["bytes", "parameters", "seconds"]) {
      const button = axes.appendChild(element("button", "", axis));
      button.addEventListener("click", () => this.show(axis));
    }
    this.axes = axes;
    this.datasets = element("div", "axes"); // filled if there are several
    this.drawing = element("div", "drawing");
    const hint = element("p", "hint", "A click on a mark opens its field. ");
    const label = hint.appendChild(element("label", "", "Keep those on display "));
    this.keeps = label.appendChild(element("input"));
    this.keeps.type = "checkbox";
    this.note = element("div", "settings");
    container.append(this.datasets, axes, hint, this.drawing, this.note);
  }

  /** @param {string} axis */
  async show(axis) {
    const run = ++this.#run;
    for (const button of this.axes.children) button.setAttribute("aria-pressed", String(button.textContent === axis));
    try {
      const { svg, notes, datasets, dataset } = await requestJson("/plot", { axis, dataset: this.#dataset });
      if (run !== this.#run) return; // a later click has taken over
      this.listDatasets(datasets, dataset, axis);
      this.drawing.innerHTML = svg; // drawn by the server
      for (const [id, note] of /** @type {[string, Note][]} */ (Object.entries(notes))) this.addListeners(document.getElementById(id), note);
    } catch (error) {
      if (run === this.#run) this.drawing.textContent = messageOf(error);
    }
  }

  /** @param {string[]} datasets @param {string} current @param {string} axis */
  listDatasets(datasets, current, axis) {
    this.#dataset = current;
    if (datasets.length < 2) return;
    this.datasets.replaceChildren(
      ...datasets.map((name) => {
        const button = element("button", "", name);
        button.setAttribute("aria-pressed", String(name === current));
        button.addEventListener("click", () => {
          this.#dataset = name;
          this.show(axis);
        });
        return button;
      }),
    );
  }

  /** @param {HTMLElement | null} mark @param {Note} note */
  addListeners(mark, note) {
    if (!mark) return;
    mark.classList.add("mark");
    mark.classList.toggle("unavailable", !note.available);
    mark.tabIndex = 0;
    mark.setAttribute("role", "button");
    mark.setAttribute("aria-label", note.title);
    for (const event of ["pointerenter", "focus"]) mark.addEventListener(event, () => this.showNote(note));
    mark.addEventListener("click", () => this.choose(mark, note));
    mark.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault(); // of scrolling
      this.choose(mark, note);
    });
  }

  /** @param {HTMLElement} mark @param {Note} note */
  async choose(mark, note) {
    this.showNote(note);
    const isAdded = this.keeps.checked && this.#opened === this.#dataset; // shapes and photographs cannot share a camera
    const choice = (this.#choices += isAdded ? 0 : 1);
    try {
      const asset = await requestJson("/open", { key: note.key });
      if (choice !== this.#choices) return; // another has taken its place since
      if (!isAdded) this.drawing.querySelectorAll(".chosen").forEach((other) => other.classList.remove("chosen"));
      mark.classList.add("chosen");
      this.#opened = this.#dataset;
      this.open({ ...asset, name: note.title }, isAdded);
    } catch (error) {
      if (choice === this.#choices) this.note.prepend(element("p", "error", messageOf(error)));
    }
  }

  /** @param {Note} note */
  showNote(note) {
    /** @param {unknown} v */
    const format = (v) => (typeof v === "number" && !Number.isInteger(v) ? v.toPrecision(4) : String(v));
    const table = element("table");
    for (const [key, value] of Object.entries({ ...note.rows, ...note.settings })) {
      const row = table.insertRow();
      row.insertCell().textContent = key;
      row.insertCell().textContent = format(value);
    }
    this.note.replaceChildren(element("h3", "", note.title), table);
  }
}
