/** An exported page of scenes, which carries nothing for shapes. */

import { begin } from "./inspector.js";
import { ScenesPage } from "./scenes_page.js";

export * from "./inspector.js";

begin({ scenes: ScenesPage });
