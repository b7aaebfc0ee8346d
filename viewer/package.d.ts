/** Types of the package: what `import "sine-view"` brings into a TypeScript program. */

import type { SineView } from "./dist/types/element/sine_view.js";

export { SineView } from "./dist/types/element/sine_view.js";

declare global {
  interface HTMLElementTagNameMap {
    "sine-view": SineView;
  }
}
