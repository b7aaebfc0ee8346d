// The controls at the right.
"use strict";

const panel = document.getElementById("panel");

function group(title) {
  const made = panel.appendChild(make("fieldset"));
  made.append(make("legend", "", title));
  return made;
}

function row(parent, label, control) {
  const made = parent.appendChild(make("label"));
  made.append(make("span", "", label), control);
  return control;
}

function choice(parent, label, id, options, value, onChange) {
  const control = row(parent, label, make("select"));
  control.id = id;
  for (const [key, text] of Object.entries(options)) control.append(new Option(text, key, false, key === String(value)));
  control.addEventListener("change", () => onChange(control.value));
  return control;
}

function slider(parent, label, id, [low, high, step], value, onInput, show = (v) => String(v)) {
  const holder = make("div", "slider");
  const control = holder.appendChild(make("input"));
  Object.assign(control, { type: "range", id, min: low, max: high, step, value });
  const shown = holder.appendChild(make("output", "", show(value)));
  row(parent, label, holder);
  control.addEventListener("input", () => {
    shown.textContent = show(control.valueAsNumber);
    onInput(control.valueAsNumber);
  });
  return control;
}

function tick(parent, label, id, value, onChange) {
  const control = row(parent, label, make("input"));
  Object.assign(control, { type: "checkbox", id, checked: value });
  control.addEventListener("change", () => onChange(control.checked));
  return control;
}

function press(parent, label, id, onClick) {
  const control = parent.appendChild(make("button", "", label));
  Object.assign(control, { type: "button", id });
  control.addEventListener("click", onClick);
  return control;
}

/** Call `act` once the calls have stopped for a moment. */
function settled(act, milliseconds = 200) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), milliseconds);
  };
}
