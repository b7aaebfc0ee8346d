/** The controls of the page for shapes. */

import { addButton, addCheckbox, addGroup, addSelect, addSlider, debounced, listViews, panel } from "./panel.js";
import { LIVE } from "./requests.js";
import { element } from "./stage.js";

/** The up axis that each file has. */
export const OWN = "own";

/** @typedef {import("./shapes_page.js").Settings} Settings */

export class ShapesPanel {
  overlay = element("div");
  viewList = this.overlay.appendChild(element("div"));
  legend = element("div", "legend");
  scale = element("div", "scale");
  ends = element("div", "ends");

  /** @param {import("./shapes_page.js").ShapesPage} page */
  constructor(page) {
    this.page = page;
    panel.replaceChildren();
    this.addViewGroup();
    this.addSurfaceGroup();
    this.addClipGroup();
    this.addLightGroup();
  }

  /**
   * A function that stores a setting, then updates what depends on it.
   *
   * @template {keyof Settings} Name
   * @param {Name} name
   * @returns {(value: Settings[Name]) => void}
   */
  setter(name, update = () => this.page.stage.redraw()) {
    return (value) => {
      this.page.settings[name] = value;
      update();
    };
  }

  addViewGroup() {
    const { page } = this;
    const { settings, state } = page;
    const view = addGroup("View");
    const layouts = { side: "side by side", overlaid: "overlaid" };
    addSelect(view, "Layout", "layout", layouts, settings.layout, this.setter("layout", () => page.arrange()));
    view.append(this.overlay);
    addSlider(this.overlay, "Opacity", "opacity", [0.1, 1, 0.05], settings.opacity, this.setter("opacity"));
    const ups = { [OWN]: "as in the file", ...Object.fromEntries(state.ups.map((up) => [up, up])) };
    addSelect(view, "Up axis", "up", ups, settings.up, this.setter("up"));
    addButton(view, "Reset camera", "reset", () => page.placeCamera());
  }

  addSurfaceGroup() {
    const { page } = this;
    const { settings, state } = page;
    const surface = addGroup("Surface");
    const refresh = debounced(() => page.refresh());
    const cells = { 64: "64³", 128: "128³", 256: "256³", 512: "512³" };
    const setResolution = this.setter("resolution", refresh);
    addSelect(surface, "Grid", "resolution", cells, settings.resolution, (value) => setResolution(Number(value)));
    addSlider(surface, "Level", "level", [0.02, 0.98, 0.02], settings.level, this.setter("level", refresh), (v) => v.toFixed(2));
    const isCompared = state.original && LIVE; // distances need the server
    /** @type {Record<string, string>} */
    const colours = isCompared ? { plain: "plain", distance: "distance" } : { plain: "plain" };
    addSelect(surface, "Colour", "colour", colours, settings.colour, this.setter("colour", () => page.recolour()));
    surface.append(this.legend);
    this.legend.hidden = true;
    const setRange = this.setter("range", () => this.updateLegend());
    addSlider(this.legend, "Range", "range", [0.0005, 0.02, 0.0005], settings.range, setRange, (v) => `${(100 * v).toFixed(2)} %`);
    this.legend.append(this.scale, this.ends);
    addCheckbox(surface, "Wireframe", "wireframe", settings.wireframe, this.setter("wireframe"));
  }

  addClipGroup() {
    const { settings } = this.page;
    const clip = addGroup("Clip plane");
    addSelect(clip, "Normal", "axis", { off: "off", x: "x", y: "y", z: "z" }, settings.axis, this.setter("axis"));
    addSlider(clip, "Position", "clip", [-1, 1, 0.01], settings.clip, this.setter("clip"), (v) => v.toFixed(2));
    addCheckbox(clip, "Other side", "flip", settings.flip, this.setter("flip"));
  }

  addLightGroup() {
    const { settings } = this.page;
    const light = addGroup("Light");
    addSlider(light, "Turn", "turn", [-90, 90, 1], settings.turn, this.setter("turn"), (v) => `${v}°`);
    addSlider(light, "Height", "height", [-80, 80, 1], settings.height, this.setter("height"), (v) => `${v}°`);
    addSlider(light, "Strength", "strength", [0.2, 2, 0.05], settings.strength, this.setter("strength"), (v) => v.toFixed(2));
  }

  listViews() {
    listViews(this.viewList, this.page.views, () => this.page.stage.redraw());
  }

  /** The distances at the ends and the middle of the colour scale. */
  updateLegend() {
    const { views, settings } = this.page;
    const diagonal = views.find((view) => view.diagonal)?.diagonal;
    if (!diagonal) return;
    const range = settings.range * diagonal;
    /** @param {number} v */
    const format = (v) => (v === 0 ? "0" : Number(v.toPrecision(2)).toString());
    this.ends.replaceChildren(...[-range, 0, range].map((v) => element("span", "", format(v))));
    this.ends.title = "in the unit of the original mesh; the range is in per cent of its diagonal";
    this.scale.dataset.low = "inside";
    this.scale.dataset.high = "outside";
    this.page.stage.redraw();
  }
}
