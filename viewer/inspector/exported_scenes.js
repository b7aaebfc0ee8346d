/** An exported page of scenes, which carries nothing for shapes, and no tab of network layers. */

import { begin } from "./inspector.js";
import { ScenesPage } from "./scenes_page.js";

export * from "./inspector.js";

begin({ scenes: ScenesPage });
