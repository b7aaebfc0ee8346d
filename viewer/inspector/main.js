// Assembles the page.

import { LayersPage } from "./layers.js";
import { PlotPage } from "./plot.js";
import { LIVE, requestJson, watchJobs } from "./requests.js";
import { ScenesPage } from "./scenes_page.js";
import { ShapesPage } from "./shapes_page.js";
import { Stage, element } from "./stage.js";

export const stage = new Stage();
const displaySection = document.getElementById("display");
export const layersPage = new LayersPage(document.getElementById("layers"));
const pages = new Map(); // the one instance of each class of page
export let shown = []; // assets
export let page = null; // ShapesPage or ScenesPage

function openTab(name) {
  for (const button of document.querySelectorAll("nav button")) {
    button.setAttribute("aria-selected", String(button.dataset.tab === name));
  }
  displaySection.hidden = name !== "display";
  layersPage.container.hidden = name !== "layers";
  if (name === "layers") layersPage.show(shown);
  else stage.resized();
}

/** Show assets in the panes, on the page for their kind. */
export function show(state, assets) {
  shown = assets;
  const kind = assets[0].kind === "scene" ? ScenesPage : ShapesPage;
  try {
    if (!pages.has(kind)) pages.set(kind, new kind(state, stage));
    if (page !== pages.get(kind)) {
      page?.leave();
      page = pages.get(kind);
      page.enter();
    }
    page.show(assets);
  } catch (error) {
    stage.container.replaceChildren(element("p", "error", `This browser cannot draw it: ${error.message}`));
  }
  if (!layersPage.container.hidden) layersPage.show(shown);
}

async function start() {
  for (const button of document.querySelectorAll("nav button")) {
    button.addEventListener("click", () => openTab(button.dataset.tab));
  }
  if (LIVE) watchJobs();
  try {
    const state = await requestJson("/state");
    document.title = `${state.assets.map((asset) => asset.name).join(", ") || "results"} · sinenerf`;
    if (state.results) {
      document.getElementById("plot").hidden = false;
      document.body.classList.add("results");
      const plot = new PlotPage(document.getElementById("plot"), (asset, beside) => {
        const others = beside ? shown.filter((other) => other.id !== asset.id) : [];
        show(state, [...others, asset]);
      });
      await plot.show("bytes");
    } else show(state, state.assets);
  } catch (error) {
    document.querySelector("main").replaceChildren(element("p", "error", error.message));
  }
}

start();
