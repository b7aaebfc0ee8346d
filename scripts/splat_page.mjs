// A page that draws a file of splats with Spark, for scripts/benchmark_splats.py.
import { SparkRenderer, SplatMesh } from "@sparkjsdev/spark";
import { Color, PerspectiveCamera, Scene, WebGLRenderer } from "three";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const renderer = new WebGLRenderer({ preserveDrawingBuffer: true });
const scene = new Scene();
const camera = new PerspectiveCamera();
scene.background = new Color(0);
scene.add(new SparkRenderer({ renderer, enableLod: false }));
document.body.append(renderer.domElement);

window.open_splats = async (data, fileName) => {
  const mesh = new SplatMesh({ fileBytes: Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)), fileName });
  await mesh.initialized;
  if (fileName.endsWith(".ply")) mesh.quaternion.set(1, 0, 0, 0); // y points down in it
  scene.add(mesh);
  return mesh.packedSplats.numSplats;
};

window.picture = async (width, height, pose, projection) => {
  renderer.setPixelRatio(1);
  renderer.setSize(width, height);
  camera.matrixAutoUpdate = false;
  camera.matrix.fromArray(pose);
  camera.projectionMatrix.fromArray(projection);
  camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
  for (let frame = 0; frame < 3; frame++) {
    renderer.render(scene, camera); // the splats are sorted by a worker, after a frame
    await pause(700);
  }
  renderer.render(scene, camera);
  return renderer.domElement.toDataURL();
};
