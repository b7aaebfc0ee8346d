// What all shaders share: buffers, and a ray's light. Constants in capitals come before this text: see shaders.js.

struct View {
  right: vec4f,
  up: vec4f,
  back: vec4f,
  position: vec4f,
  lens: vec4f, // fx, fy, cx, cy
  tile: vec4u, // width of the picture, first pixel of the tile, rays of the tile, their place among the chunk's
  chunk: vec4u, // rays
}
struct Slab { // some samples of all rays
  index: u32,
  list: u32, // where the list of its rays begins
  first: u32,
  end: u32,
}
struct Ray { // start, step and direction are a warp's
  start: vec4f,
  step: vec4f,
  direction: vec4f,
  seen: vec4f, // colour so far, and the light that is left
}
struct Queue {
  counts: array<atomic<u32>, SLABS + 1u>, // rays that are followed through each slab
  lists: array<u32>, // two of CAPACITY, in turn
}

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> slab: Slab;
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> rays: array<Ray>;
@group(0) @binding(4) var<storage, read_write> edges: array<f32>; // (sample, ray), as fractions of the ray
@group(0) @binding(5) var<storage, read_write> along: array<f32>; // (sample, ray): densities, then accumulated opacity
@group(0) @binding(6) var<storage, read_write> queue: Queue;
@group(0) @binding(7) var<storage, read_write> of_direction: array<f32>; // (output, ray) of the view layer
@group(0) @binding(8) var<storage, read_write> output: array<f32>; // colours, depths, accumulations of a chunk
