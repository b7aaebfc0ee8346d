// The mesh in a .glb file as three.js reads it, as JSON. Arguments: the file.
import { readFileSync } from "node:fs";

import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { MeshoptDecoder } from "three/addons/libs/meshopt_decoder.module.js";

globalThis.self = globalThis; // as in a browser
const file = readFileSync(process.argv[2]);
await MeshoptDecoder.ready;
const loader = new GLTFLoader().setMeshoptDecoder(MeshoptDecoder);
const { scene } = await loader.parseAsync(file.buffer.slice(file.byteOffset, file.byteOffset + file.length), "");
scene.updateMatrixWorld(true);
const [mesh] = scene.children;
const rows = (attribute, read) => Array.from({ length: attribute?.count ?? 0 }, (_, i) => read(attribute, i));
const point = mesh.position.clone();
const values = (attribute, i) => Array.from({ length: attribute.itemSize }, (_, k) => attribute.getComponent(i, k));
const { position, normal, color, uv } = mesh.geometry.attributes;
const read = {
  positions: rows(position, (attribute, i) => point.fromBufferAttribute(attribute, i).applyMatrix4(mesh.matrixWorld).toArray()),
  normals: rows(normal, values),
  colours: rows(color, values),
  uv: rows(uv, values),
  faces: Array.from(mesh.geometry.index.array),
  material: mesh.material.type,
};
console.log(JSON.stringify(read));
