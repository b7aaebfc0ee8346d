/** An exported page of shapes, which carries nothing for scenes. */

import { begin } from "./inspector.js";
import { LayersPage } from "./layers.js";
import { ShapesPage } from "./shapes_page.js";

export * from "./inspector.js";

begin({ shapes: ShapesPage, layers: LayersPage });
