/** Controls of the panel on the right. */

import { element } from "./stage.js";

export const panel = /** @type {HTMLElement} */ (document.getElementById("panel"));

/** @param {string} title */
export function addGroup(title) {
  const group = panel.appendChild(element("fieldset"));
  group.append(element("legend", "", title));
  return group;
}

/** @template {HTMLElement} T @param {HTMLElement} parent @param {string} label @param {T} control */
export function addRow(parent, label, control) {
  const row = parent.appendChild(element("label"));
  row.append(element("span", "", label), control);
  return control;
}

/**
 * @param {HTMLElement} parent
 * @param {string} label
 * @param {string} id
 * @param {Record<string, string>} options texts by value
 * @param {string | number} value
 * @param {(value: string) => void} onChange
 */
export function addSelect(parent, label, id, options, value, onChange) {
  const control = addRow(parent, label, element("select"));
  control.id = id;
  for (const [key, text] of Object.entries(options)) control.append(new Option(text, key, false, key === String(value)));
  control.addEventListener("change", () => onChange(control.value));
  return control;
}

/**
 * @param {HTMLElement} parent
 * @param {string} label
 * @param {string} id
 * @param {number[]} bounds
 * @param {number} value
 * @param {(value: number) => void} onInput
 * @param {(value: number) => string} [format] as which it is shown
 */
export function addSlider(parent, label, id, [low, high, step], value, onInput, format = String) {
  const container = element("div", "slider");
  const control = container.appendChild(element("input"));
  Object.assign(control, { type: "range", id, min: low, max: high, step, value });
  const output = container.appendChild(element("output", "", format(value)));
  addRow(parent, label, container);
  control.addEventListener("input", () => {
    output.textContent = format(control.valueAsNumber);
    onInput(control.valueAsNumber);
  });
  return control;
}

/** @param {HTMLElement} parent @param {string} label @param {string} id @param {boolean} value @param {(value: boolean) => void} onChange */
export function addCheckbox(parent, label, id, value, onChange) {
  const control = addRow(parent, label, element("input"));
  Object.assign(control, { type: "checkbox", id, checked: value });
  control.addEventListener("change", () => onChange(control.checked));
  return control;
}

/** @param {HTMLElement} parent @param {string} label @param {string} id @param {() => void} onClick */
export function addButton(parent, label, id, onClick) {
  const control = parent.appendChild(element("button", "", label));
  Object.assign(control, { type: "button", id });
  control.addEventListener("click", onClick);
  return control;
}

/**
 * A checkbox for each view, which shows or hides it in the overlay.
 *
 * @param {HTMLElement} parent
 * @param {{ asset: import("./requests.js").Asset, shown: boolean }[]} views
 * @param {() => void} onChange
 */
export function listViews(parent, views, onChange) {
  parent.replaceChildren();
  for (const view of views) {
    addCheckbox(parent, view.asset.name, `show-${view.asset.id}`, view.shown, (shown) => {
      view.shown = shown;
      onChange();
    });
  }
}

/** A function that calls `action` once its own calls have stopped for a moment. @param {() => void} action */
export function debounced(action, milliseconds = 200) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(action, milliseconds);
  };
}
