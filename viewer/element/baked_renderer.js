/** Pictures of a baked scene by WebGL2, on a canvas of its own that nobody sees. */

import { cellOf, referenceOf, voxelsOf } from "../field/baked_volume.js";
import { VERTICES, fragments } from "./baked_shader.js";
import { OUTPUTS } from "./outputs.js";

/** @typedef {import("../field/baked_volume.js").Baked} Baked */

export class BakedRenderer {
  #canvas = document.createElement("canvas");
  /** @type {Baked | undefined} */
  #baked;
  /** @type {WebGLProgram | undefined} */
  #program;

  /** @param {import("./scene_worker.js").Scene} scene @throws {Error} the browser has no WebGL2 */
  constructor(scene) {
    this.scene = scene;
    const gl = this.#canvas.getContext("webgl2", { antialias: false, depth: false, alpha: false });
    if (!gl) throw new Error("this browser has no WebGL2");
    this.gl = gl;
    this.#canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // so that it may come back
      this.#program = undefined;
    });
    this.#canvas.addEventListener("webglcontextrestored", () => this.#baked && this.load(this.#baked));
  }

  /** Whether there is something to draw, and a context to draw it with. */
  get isReady() {
    return this.#program !== undefined;
  }

  /** @param {Baked} baked */
  load(baked) {
    const { gl, scene: { warp } } = this;
    this.#baked = baked;
    if (gl.isContextLost()) return;
    this.#program ??= this.#compiled();
    const { layout } = baked;
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.#texture(0, gl.LINEAR, gl.RGBA8, gl.RGBA, voxelsOf(layout), baked.values);
    this.#texture(1, gl.NEAREST, gl.R8UI, gl.RED_INTEGER, layout.bricks, baked.distances);
    gl.uniform1i(this.#at("values"), 0);
    gl.uniform1i(this.#at("distances"), 1);
    gl.uniform3fv(this.#at("low"), layout.low);
    gl.uniform3fv(this.#at("cell"), cellOf(layout));
    gl.uniform1f(this.#at("cells"), layout.cells);
    gl.uniform1f(this.#at("reference"), referenceOf(layout));
    gl.uniform1f(this.#at("near"), warp.near);
    gl.uniform3fv(this.#at("centre"), warp.kind === "ndc" ? [0, 0, 0] : warp.centre);
    gl.uniform3fv(this.#at("extent"), warp.kind === "ndc" ? [warp.tanX, warp.tanY, 1] : warp.kind === "box" ? warp.half : Array(3).fill(warp.radius));
  }

  /**
   * @param {import("../field/camera.js").Camera} camera
   * @param {import("./outputs.js").Output} output
   * @param {[number, number]} nearness of depths: that is black, and that is white
   * @returns {ImageData | null} null where the context has been lost
   */
  draw({ rotation, position, lens }, output, [least, most]) {
    const { gl } = this;
    const { width, height } = lens;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.uniform3fv(this.#at("origin"), position);
    gl.uniformMatrix3fv(this.#at("rotation"), true, rotation);
    gl.uniform4f(this.#at("lens"), lens.fx, lens.fy, lens.cx, lens.cy);
    gl.uniform1i(this.#at("shown"), OUTPUTS.indexOf(output));
    gl.uniform2f(this.#at("nearness"), least, 1 / Math.max(1e-12, most - least));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    const image = new ImageData(width, height);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, image.data); // and waits for them: the time is the frame's
    return gl.isContextLost() ? null : image;
  }

  #compiled() {
    const { gl, scene } = this;
    const program = /** @type {WebGLProgram} */ (gl.createProgram());
    for (const [kind, source] of /** @type {const} */ ([[gl.VERTEX_SHADER, VERTICES], [gl.FRAGMENT_SHADER, fragments(scene.warp, scene.background)]])) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "");
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    return program;
  }

  /** @param {string} name of a uniform */
  #at(name) {
    return this.gl.getUniformLocation(/** @type {WebGLProgram} */ (this.#program), name);
  }

  /** @param {number} unit @param {number} filter @param {number} internal @param {number} format @param {number[]} size @param {Uint8Array} data */
  #texture(unit, filter, internal, format, [width, height, depth], data) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.deleteTexture(gl.getParameter(gl.TEXTURE_BINDING_3D)); // of the level before
    gl.bindTexture(gl.TEXTURE_3D, gl.createTexture());
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_3D, name, filter);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) gl.texParameteri(gl.TEXTURE_3D, name, gl.CLAMP_TO_EDGE);
    gl.texImage3D(gl.TEXTURE_3D, 0, internal, width, height, depth, 0, format, gl.UNSIGNED_BYTE, data);
  }

  dispose() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
