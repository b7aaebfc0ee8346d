/**
 * Rays of a radiance field by WebGPU: what RayMarcher (field/ray_marcher.js) does, for tiles of a picture.
 *
 * A tile is one submission of passes: rays into the cube, densities of network 0, places of samples, then network 1, a
 * slab of samples after the other, each for the rays that are not opaque yet.
 */

import { denseNetworks } from "../field/radiance_networks.js";
import { WeightBuffer, arrangementOf, headOf } from "./arrangement.js";
import { rowsOfDirection, samplesOf, shadersOf } from "./shaders.js";

/** @typedef {import("../field/camera.js").Camera} Camera */
/** @typedef {Record<"begin" | "densities" | "place_samples" | "directions" | "march" | "finish", GPUComputePipeline>} Pipelines */

const SMALLEST_SLAB = 4; // samples
const MOST_SLABS = 32;
const MOST_MEMORY = 2 ** 26; // bytes of the buffers that hold rays
const [FEWEST_RAYS, MOST_RAYS] = [1024, 2 ** 15]; // of a tile
const PER_THREAD = 64; // rays of a workgroup, where each has a thread
const ALIGNMENT = 256; // bytes of a uniform buffer, between two that are bound by their offset
const VIEW_BYTES = 7 * 16;
const RAY_FLOATS = 16;
export const PIXEL_FLOATS = 5; // colour, depth, accumulation

export class GpuMarcher {
  /** @type {Pipelines | undefined} */
  #pipelines;
  #outputRays = 0;
  /** @type {GPUBuffer | undefined} */
  #output;
  /** @type {GPUBindGroup | undefined} */
  #group;

  /** @param {import("../decoder/index.js").RadianceFile} file @param {GPUDevice} device */
  constructor(file, device) {
    this.device = device;
    const weights = new WeightBuffer();
    const memory = device.limits.maxComputeWorkgroupStorageSize;
    const [first, { head, ...second }] = denseNetworks(file);
    this.first = arrangementOf(first, weights, memory);
    this.second = arrangementOf(second, weights, memory, rowsOfDirection(file.config));
    const ofHead = headOf(head, weights, this.second);
    this.bins = file.config.coarseSamples;
    const samples = samplesOf(file.config);
    const slab = Math.max(SMALLEST_SLAB, Math.ceil(samples / MOST_SLABS));
    const slabs = Math.ceil(samples / slab);
    const floats = { edges: samples + 1, along: Math.max(this.bins, samples), ofDirection: 4 * ofHead.feature.blocks };
    const bytes = 4 * (floats.edges + floats.along + floats.ofDirection + RAY_FLOATS + 2);
    const capacity = Math.max(FEWEST_RAYS, Math.min(MOST_RAYS, Math.floor(MOST_MEMORY / bytes / PER_THREAD) * PER_THREAD));
    this.sizes = { capacity, samples, slabs };
    this.shaders = shadersOf(file, this.first, this.second, ofHead, this.sizes);
    this.uniform = this.#buffer(VIEW_BYTES, GPUBufferUsage.UNIFORM);
    this.slabs = this.#buffer(ALIGNMENT * slabs, GPUBufferUsage.UNIFORM);
    for (let index = 0; index < slabs; index++) {
      const range = [index * slab, Math.min(samples, (index + 1) * slab)];
      device.queue.writeBuffer(this.slabs, index * ALIGNMENT, Uint32Array.of(index, (index % 2) * capacity, ...range));
    }
    const packed = weights.joined();
    this.queue = this.#buffer(4 * (slabs + 1 + 2 * capacity));
    this.buffers = [
      this.#buffer(packed.byteLength),
      this.#buffer(4 * RAY_FLOATS * capacity),
      this.#buffer(4 * floats.edges * capacity),
      this.#buffer(4 * floats.along * capacity),
      this.queue,
      this.#buffer(4 * floats.ofDirection * capacity),
    ];
    device.queue.writeBuffer(this.buffers[0], 0, packed);
  }

  /** @param {number} size bytes @param {number} [usage] */
  #buffer(size, usage = GPUBufferUsage.STORAGE) {
    return this.device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
  }

  /** Compile the shaders. */
  async prepare() {
    const { device } = this;
    const { COMPUTE: visibility } = GPUShaderStage;
    /** @type {GPUBindGroupLayoutEntry[]} */
    const entries = [
      { binding: 0, visibility, buffer: { type: "uniform" } },
      { binding: 1, visibility, buffer: { type: "uniform", hasDynamicOffset: true } },
      { binding: 2, visibility, buffer: { type: "read-only-storage" } },
      ...[3, 4, 5, 6, 7, 8].map((binding) => ({ binding, visibility, buffer: { type: /** @type {const} */ ("storage") } })),
    ];
    this.layout = device.createBindGroupLayout({ entries });
    const layout = device.createPipelineLayout({ bindGroupLayouts: [this.layout] });
    const of = { begin: "rays", densities: "densities", place_samples: "rays", directions: "march", march: "march", finish: "rays" };
    const modules = Object.fromEntries(Object.entries(this.shaders).map(([name, code]) => [name, device.createShaderModule({ code })]));
    const pipelines = await Promise.all(Object.entries(of).map(async ([entryPoint, name]) =>
      [entryPoint, await device.createComputePipelineAsync({ layout, compute: { module: modules[name], entryPoint } })]));
    this.#pipelines = Object.fromEntries(pipelines);
  }

  /** Make room for the pixels of a chunk. @param {number} rays */
  #reserve(rays) {
    if (this.#group && rays <= this.#outputRays) return;
    this.#output?.destroy();
    this.#output = this.#buffer(4 * PIXEL_FLOATS * rays);
    this.#outputRays = rays;
    const resources = [{ buffer: this.uniform }, { buffer: this.slabs, size: 16 }, ...[...this.buffers, this.#output].map((buffer) => ({ buffer }))];
    const layout = /** @type {GPUBindGroupLayout} */ (this.layout);
    this.#group = this.device.createBindGroup({ layout, entries: resources.map((resource, binding) => ({ binding, resource })) });
  }

  /**
   * The pixels of some rows of a picture.
   *
   * @param {Camera} camera
   * @param {number} start row
   * @param {number} stop
   * @param {number} most rays of a tile
   * @returns {Promise<Float32Array>} colours (n, 3), then depths and accumulations
   * @throws {Error} the device is lost
   */
  async render(camera, start, stop, most) {
    const { width } = camera.lens;
    const rays = width * (stop - start);
    this.#reserve(rays);
    const size = 4 * PIXEL_FLOATS * rays;
    const copy = this.device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const step = Math.min(most, this.sizes.capacity);
    for (let first = 0; first < rays; first += step) {
      this.#writeView(camera, [width, start * width + first, Math.min(step, rays - first), first], rays);
      this.device.queue.submit([this.#encoded(Math.min(step, rays - first))]);
    }
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(/** @type {GPUBuffer} */ (this.#output), 0, copy, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    const pixels = new Float32Array(copy.getMappedRange()).slice();
    copy.destroy();
    return pixels;
  }

  /** @param {Camera} camera @param {number[]} tile @param {number} rays of the chunk */
  #writeView({ rotation: r, position, lens }, tile, rays) {
    const columns = [0, 1, 2].flatMap((column) => [r[column], r[3 + column], r[6 + column], 0]);
    const view = new ArrayBuffer(VIEW_BYTES);
    new Float32Array(view).set([...columns, ...position, 0, lens.fx, lens.fy, lens.cx, lens.cy]);
    new Uint32Array(view).set([...tile, rays], 20);
    this.device.queue.writeBuffer(this.uniform, 0, view);
  }

  /** The passes of a tile. @param {number} rays */
  #encoded(rays) {
    const pipelines = /** @type {Pipelines} */ (this.#pipelines);
    const encoder = this.device.createCommandEncoder();
    encoder.clearBuffer(this.queue, 0, 4 * (this.sizes.slabs + 1));
    const pass = encoder.beginComputePass();
    /** @param {keyof Pipelines} name @param {number} perGroup rays of a workgroup @param {number} [deep] @param {number} [slab] */
    const dispatch = (name, perGroup, deep = 1, slab = 0) => {
      pass.setPipeline(pipelines[name]);
      pass.setBindGroup(0, /** @type {GPUBindGroup} */ (this.#group), [slab * ALIGNMENT]);
      pass.dispatchWorkgroups(Math.ceil(rays / perGroup), deep);
    };
    dispatch("begin", PER_THREAD);
    dispatch("densities", 4 * this.first.lanes, this.bins);
    dispatch("place_samples", PER_THREAD);
    dispatch("directions", 4 * this.second.lanes);
    for (let slab = 0; slab < this.sizes.slabs; slab++) dispatch("march", 4 * this.second.lanes, 1, slab);
    dispatch("finish", PER_THREAD);
    pass.end();
    return encoder.finish();
  }
}
