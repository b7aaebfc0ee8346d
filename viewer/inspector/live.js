/** The page of `sinenerf view`: shapes, scenes, and folders of results. */

import { begin } from "./inspector.js";
import { LayersPage } from "./layers.js";
import { PlotPage } from "./plot.js";
import { ScenesPage } from "./scenes_page.js";
import { ShapesPage } from "./shapes_page.js";

export * from "./inspector.js";

begin({ shapes: ShapesPage, scenes: ScenesPage, layers: LayersPage, results: PlotPage });
