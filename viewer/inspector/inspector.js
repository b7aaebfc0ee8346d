/** Assembles the page from the pages for the kinds of fields that it can show. */

import { messageOf } from "../element/messages.js";
import { LIVE, requestJson, watchJobs } from "./requests.js";
import { Stage, element } from "./stage.js";

/** @typedef {import("./requests.js").Asset} Asset */
/** @typedef {import("./requests.js").State} State */
/** @typedef {{ enter(): void, leave(): void, show(assets: Asset[]): void }} Page for shapes or for scenes */
/** @typedef {new (state: State, stage: Stage) => Page} PageClass */
/** @typedef {import("./layers.js").LayersPage} LayersPage */
/** @typedef {{ shapes?: PageClass, scenes?: PageClass, layers?: typeof import("./layers.js").LayersPage, results?: typeof import("./plot.js").PlotPage }} Parts */

export const stage = new Stage();
const displaySection = section("display");
/** What the second tab shows, on pages that have it. @type {LayersPage | undefined} */
export let layersPage;
/** The one instance of each class of page. @type {Map<PageClass, Page>} */
const pages = new Map();
/** @type {Asset[]} */
export let shown = [];
/** @type {Page | undefined} */
export let page;
/** @type {Parts} */
let parts = {};

/** @param {string} id @returns {HTMLElement} */
function section(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {string | undefined} name */
function openTab(name) {
  for (const button of tabs()) button.setAttribute("aria-pressed", String(button.dataset.tab === name));
  displaySection.hidden = name !== "display";
  section("layers").hidden = name !== "layers";
  if (name === "layers") layersPage?.show(shown);
  else stage.resized();
}

/** @returns {NodeListOf<HTMLButtonElement>} */
const tabs = () => document.querySelectorAll("nav button");

/** Show assets in the panes, on the page for their kind. @param {State} state @param {Asset[]} assets */
export function show(state, assets) {
  shown = assets;
  const kind = /** @type {PageClass} */ (assets[0].kind === "scene" ? parts.scenes : parts.shapes);
  try {
    const next = pages.get(kind) ?? new kind(state, stage);
    pages.set(kind, next);
    if (page !== next) {
      page?.leave();
      page = next;
      page.enter();
    }
    page.show(assets);
  } catch (error) {
    stage.container.replaceChildren(element("p", "error", `This browser cannot draw it: ${messageOf(error)}`));
  }
  if (!section("layers").hidden) layersPage?.show(shown);
}

/** Fill the page. @param {Parts} given */
export async function begin(given) {
  parts = given;
  layersPage = parts.layers && new parts.layers(section("layers"));
  if (!layersPage) document.querySelector("nav")?.remove();
  for (const button of tabs()) button.addEventListener("click", () => openTab(button.dataset.tab));
  if (LIVE) watchJobs();
  try {
    /** @type {State} */
    const state = await requestJson("/state");
    document.title = `${state.assets.map((asset) => asset.name).join(", ") || "results"} · sinenerf`;
    if (state.results && parts.results) {
      section("plot").hidden = false;
      document.body.classList.add("results");
      const plot = new parts.results(section("plot"), (asset, beside) => {
        const others = beside ? shown.filter((other) => other.id !== asset.id) : [];
        show(state, [...others, asset]);
      });
      await plot.show("bytes");
    } else show(state, state.assets);
  } catch (error) {
    document.querySelector("main")?.replaceChildren(element("p", "error", messageOf(error)));
  }
}
