/** Trimmed shaders are what the preprocessor would have made of them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { trimmed } from "../lean_three.js";

const CASES = {
  "a feature that is never on": ["a\n#ifdef USE_MAP\nb\n#else\nc\n#endif\nd", "a\nc\nd"],
  "a feature that may be on": ["#ifdef FLAT_SHADED\na\n#else\nb\n#endif", "#if defined(FLAT_SHADED)\na\n#else\nb\n#endif"],
  "nested, the outer never on": ["#ifdef USE_MAP\n#ifdef FLAT_SHADED\na\n#else\nb\n#endif\n#endif\nc", "c"],
  "a chain whose first is never on": [
    "#if defined( USE_MAP )\na\n#elif defined( STANDARD )\nb\n#else\nc\n#endif",
    "#if defined( STANDARD )\nb\n#else\nc\n#endif",
  ],
  "a chain whose middle is always on": [
    "#if defined( STANDARD )\na\n#elif ! defined( USE_MAP )\nb\n#else\nc\n#endif",
    "#if defined( STANDARD )\na\n#else\nb\n#endif",
  ],
  "numbers of lights": [
    "#if ( NUM_SPOT_LIGHTS > 0 )\na\n#endif\n#if NUM_DIR_LIGHTS > 0\nb\n#endif",
    "#if NUM_DIR_LIGHTS > 0\nb\n#endif",
  ],
  "comments and indentation": ["  a; // one\n\t/* two\n */ b;", "a;\nb;"],
  "vertex colours, which there are": ["#if defined( USE_COLOR ) || defined( USE_FOG )\na\n#endif", "#if defined( USE_COLOR ) || defined( USE_FOG )\na\n#endif"],
};

for (const [name, [source, expected]] of Object.entries(CASES)) {
  test(name, () => assert.equal(trimmed(source), expected));
}
