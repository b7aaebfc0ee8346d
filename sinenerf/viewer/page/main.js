// Puts the page together.
"use strict";

const stage = new Stage();
const look = document.getElementById("look");
const inside = new InsidePage(document.getElementById("inside"));
const pages = new Map(); // of each kind the one that there is
let shown = [];
let page = null;

function openTab(name) {
  for (const button of document.querySelectorAll("nav button")) {
    button.setAttribute("aria-selected", String(button.dataset.tab === name));
  }
  look.hidden = name !== "look";
  inside.holder.hidden = name !== "inside";
  if (name === "inside") inside.show(shown);
  else stage.resized();
}

/** Show items in the panes; the first of another kind changes what the page is about. */
function show(state, items) {
  shown = items;
  const kind = items[0].kind === "scene" ? ScenesPage : ShapesPage;
  try {
    if (!pages.has(kind)) pages.set(kind, new kind(state));
    if (page !== pages.get(kind)) {
      page = pages.get(kind);
      page.enter();
    }
    page.show(items);
  } catch (error) {
    stage.holder.replaceChildren(make("p", "error", `This browser cannot draw it: ${error.message}`));
  }
  if (!inside.holder.hidden) inside.show(shown);
}

async function start() {
  for (const button of document.querySelectorAll("nav button")) {
    button.addEventListener("click", () => openTab(button.dataset.tab));
  }
  if (LIVE) watchJobs();
  try {
    const state = await askJson("/state");
    document.title = `${state.items.map((item) => item.name).join(", ") || "results"} · sinenerf`;
    if (state.results) {
      document.getElementById("plot").hidden = false;
      document.body.classList.add("results");
      const plot = new PlotPage(document.getElementById("plot"), (item, beside) => {
        const others = beside ? shown.filter((other) => other.id !== item.id) : [];
        show(state, [...others, item]);
      });
      await plot.show("bytes");
    } else show(state, state.items);
  } catch (error) {
    document.querySelector("main").replaceChildren(make("p", "error", error.message));
  }
}

start();
