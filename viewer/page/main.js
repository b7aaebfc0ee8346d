/** The page that needs nothing: a .sine file that is dropped, or named by `?src=`, or in the link itself (`#data=`). */

import { BufferAttribute, BufferGeometry, Mesh, MeshStandardMaterial } from "three";
import { GLTFExporter } from "three/addons/exporters/GLTFExporter.js";
import { PLYExporter } from "three/addons/exporters/PLYExporter.js";
import { STLExporter } from "three/addons/exporters/STLExporter.js";

import { LARGEST_FILE } from "../decoder/container.js";
import "../element/sine_view.js";
import { turnUp } from "../element/up_axis.js";
import { bytesOf, textOf } from "./base64.js";

const LARGEST_IN_LINK = 8192; // bytes of a file
const COARSEST = 1e-4; // of the longest side: the largest rounding error of a coordinate that is saved
/** Attributes of the element that an address may give. */
const SETTINGS = ["up", "level"];

/** @template {HTMLElement} T @param {string} id @returns {T} */
const element = (id) => /** @type {T} */ (document.getElementById(id));
/** @type {import("../element/sine_view.js").SineView} */
const view = element("view");
/** @type {HTMLInputElement} */
const input = element("file");
/** @type {HTMLSelectElement} */
const output = element("output");
/** @type {HTMLInputElement} */
const path = element("path");
/** @type {HTMLButtonElement} */
const link = element("link");
const offer = link.textContent;
/** The file that is shown. @type {{ name: string, data: Uint8Array } | undefined} */
let shown;
/** Files asked for so far: one that is read late gives way to those after it. */
let asked = 0;

/** @param {string} name @param {Uint8Array} data @param {URLSearchParams} [words] of the address */
function show(name, data, words) {
  begin(name, `${data.length.toLocaleString("en")} bytes`, words);
  shown = { name, data };
  view.show(data);
}

/** Leave nothing of the file before. @param {string} name @param {string} facts @param {URLSearchParams} [words] of the address */
function begin(name, facts, words = new URLSearchParams()) {
  asked += 1;
  shown = undefined;
  view.removeAttribute("src");
  element("welcome").hidden = true;
  element("downloads").hidden = element("scene").hidden = link.hidden = true;
  link.textContent = offer;
  view.hidden = false;
  view.removeAttribute("auto-rotate");
  for (const setting of SETTINGS) {
    const value = words.get(setting);
    if (value) view.setAttribute(setting, value);
    else view.removeAttribute(setting);
  }
  element("name").textContent = document.title = name;
  element("facts").textContent = facts;
}

/** @param {string} name @param {string} why */
function refuse(name, why) {
  begin(name, why);
  view.hidden = true;
  element("welcome").hidden = false;
}

/** @param {File | undefined} file */
async function open(file) {
  if (!file) return;
  if (file.size > LARGEST_FILE) {
    refuse(file.name, `${file.size.toLocaleString("en")} bytes are more than a .sine file has`);
    return;
  }
  const turn = (asked += 1);
  const data = await file.arrayBuffer().catch(() => undefined);
  if (turn !== asked) return;
  if (data) show(file.name, new Uint8Array(data));
  else refuse(file.name, "This cannot be read. Choose a .sine file, not a folder");
}

/** Show the file that the address holds, or names. */
function openFromAddress() {
  const words = new URLSearchParams(`${location.hash.slice(1)}&${location.search.slice(1)}`);
  const data = words.get("data");
  const source = words.get("src");
  if (data && data.length > (LARGEST_IN_LINK * 4) / 3 + 4) {
    refuse("sine-view", "The link is too long: it may hold a file of at most 8 kB. Put the file at an address, and use ?src=");
  } else if (data) {
    try {
      show(words.get("name") ?? "shape.sine", bytesOf(data), words);
    } catch {
      refuse("sine-view", "The link is damaged: it does not hold a whole file. Copy it again");
    }
  } else if (source) {
    begin(source.split("/").at(-1) ?? source, "", words);
    view.setAttribute("src", source);
  }
}

/** What is said of a mesh that float32, as all three formats store it, would tear; nothing of others. @param {Float32Array} positions */
function complaintOf(positions) {
  const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
  positions.forEach((x, i) => {
    low[i % 3] = Math.min(low[i % 3], x);
    high[i % 3] = Math.max(high[i % 3], x);
  });
  const size = Math.max(...high.map((x, axis) => x - low[axis]));
  const step = 2 ** (Math.floor(Math.log2(Math.max(...[...low, ...high].map(Math.abs)))) - 23);
  if (step <= COARSEST * size) return "";
  return `The shape is ${size.toPrecision(3)} long and so far from the origin that these formats would round it to steps of ` +
    `${step.toPrecision(2)}. Use sinenerf mesh with --output shape.obj, which keeps all digits`;
}

/** The mesh in the coordinates of the shape that was fitted, as three.js's exporters take it. */
function meshToSave() {
  if (!view.mesh) throw new Error("there is no mesh yet");
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(view.mesh.positions, 3));
  geometry.setIndex(new BufferAttribute(view.mesh.indices, 1));
  return new Mesh(geometry, new MeshStandardMaterial());
}

/** @param {string} format */
async function saved(format) {
  if (format === "glb") {
    const mesh = meshToSave();
    turnUp(mesh, view.up ?? "y"); // its node: glTF demands y up
    return /** @type {ArrayBuffer} */ (await new GLTFExporter().parseAsync(mesh, { binary: true }));
  }
  if (format === "ply") return /** @type {ArrayBuffer} */ (new PLYExporter().parse(meshToSave(), () => {}, { binary: true }));
  return /** @type {DataView<ArrayBuffer>} */ (new STLExporter().parse(meshToSave(), { binary: true }));
}

/** @param {string} format */
async function download(format) {
  const complaint = complaintOf(view.mesh?.positions ?? new Float32Array(3));
  if (complaint) {
    element("facts").textContent = complaint;
    return;
  }
  const anchor = document.createElement("a");
  anchor.download = `${(shown?.name ?? element("name").textContent ?? "shape").replace(/\.sine$/, "")}.${format}`;
  anchor.href = URL.createObjectURL(new Blob([await saved(format)]));
  anchor.click();
  URL.revokeObjectURL(anchor.href);
}

async function copyLink() {
  if (!shown) return;
  const settings = SETTINGS.filter((name) => view.hasAttribute(name)).map((name) => [name, view.getAttribute(name) ?? ""]);
  const words = new URLSearchParams([["name", shown.name], ...settings, ["data", textOf(shown.data)]]);
  const address = `${location.href.split(/[?#]/)[0]}#${words}`;
  try {
    await navigator.clipboard.writeText(address);
    link.textContent = "Copied";
  } catch { // there is no clipboard at a plain http address
    history.replaceState(null, "", address);
    link.textContent = "This page's address now holds the file: copy it";
  }
}

output.addEventListener("change", () => view.setAttribute("output", output.value));
path.addEventListener("change", () => view.toggleAttribute("auto-rotate", path.checked));
new MutationObserver(() => (path.checked = view.hasAttribute("auto-rotate"))).observe(view, { attributeFilter: ["auto-rotate"] });
input.addEventListener("change", () => {
  open(input.files?.[0]);
  input.value = ""; // so that the same file can be chosen again
});
link.addEventListener("click", copyLink);
view.addEventListener("progress", () => {
  element("scene").hidden = view.hidden || Boolean(view.mesh); // with the first picture: later, the whole one would be rendered anew
  link.hidden = !shown || shown.data.length > LARGEST_IN_LINK;
});
view.addEventListener("load", () => {
  element("downloads").hidden = view.hidden || !view.mesh; // a scene has none
  document.body.dataset.state = "loaded";
});
view.addEventListener("error", () => {
  document.body.dataset.state = "error";
  link.hidden = true; // to what cannot be shown, or not now
});
for (const button of document.querySelectorAll("button[data-format]")) {
  button.addEventListener("click", () => download(/** @type {HTMLElement} */ (button).dataset.format ?? "glb"));
}
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  open(event.dataTransfer?.files[0]);
});
addEventListener("hashchange", openFromAddress);
openFromAddress();
