// The logits of an occupancy network in WebAssembly SIMD: sixteen points at a time, four to a vector.
// AssemblyScript, compiled by `npm run build`. JavaScript lays out the memory: see field/simd_evaluator.js.

import { LOG2E, exp2, sine, splat } from "./maths";

const RELU: i32 = 0;
const GAUSSIAN: i32 = 1;

// @ts-ignore: decorator
@inline
function activated(z: v128, activation: i32, bandwidth: f32): v128 {
  if (activation == RELU) return f32x4.max(z, splat(0));
  const phase = f32x4.mul(z, splat(bandwidth));
  if (activation == GAUSSIAN) return exp2(f32x4.mul(f32x4.mul(phase, phase), splat(-0.5 * LOG2E)));
  return sine(phase);
}

/**
 * One layer for sixteen points. Features lie as (neuron, 16 points).
 *
 * @param weight (outputs, inputs), rows first; bias follows
 */
function layer(weight: usize, inputs: i32, outputs: i32, from: usize, to: usize, activation: i32, bandwidth: f32): void {
  let bias = weight + ((inputs * outputs) << 2);
  for (let row = 0; row < outputs; row++, bias += 4) {
    let a = v128.load32_splat(bias);
    let b = a;
    let c = a;
    let d = a;
    let feature = from;
    for (let i = 0; i < inputs; i++, weight += 4, feature += 64) {
      const w = v128.load32_splat(weight);
      a = f32x4.add(a, f32x4.mul(w, v128.load(feature)));
      b = f32x4.add(b, f32x4.mul(w, v128.load(feature, 16)));
      c = f32x4.add(c, f32x4.mul(w, v128.load(feature, 32)));
      d = f32x4.add(d, f32x4.mul(w, v128.load(feature, 48)));
    }
    if (activation >= 0) {
      a = activated(a, activation, bandwidth);
      b = activated(b, activation, bandwidth);
      c = activated(c, activation, bandwidth);
      d = activated(d, activation, bandwidth);
    }
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    to += 64;
  }
}

/**
 * Logits of blocks of sixteen points.
 *
 * @param points (blocks, 3, 16)
 * @param logits (blocks, 16)
 * @param weights the layers one after the other: weight, bias; first width x 3, then width x width, then 1 x width
 * @param scratch two times width x 16 floats
 */
export function evaluate(
  points: usize, logits: usize, blocks: i32, weights: usize, scratch: usize,
  width: i32, depth: i32, activation: i32, bandwidth: f32,
): void {
  const size: usize = width << 6;
  for (let block = 0; block < blocks; block++, points += 192, logits += 64) {
    let place = weights;
    let from = scratch;
    let to = scratch + size;
    layer(place, 3, width, points, from, activation, bandwidth);
    place += width << 4;
    for (let i = 1; i < depth; i++) {
      layer(place, width, width, from, to, activation, bandwidth);
      place += (width * width + width) << 2;
      const other = from;
      from = to;
      to = other;
    }
    layer(place, width, 1, from, logits, -1, 0);
  }
}
