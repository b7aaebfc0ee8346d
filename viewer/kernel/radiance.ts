// The layers of a radiance field's networks in WebAssembly SIMD, for 32 points at a time: four outputs by eight points
// are kept in registers. AssemblyScript, compiled by `npm run build`. JavaScript lays out the memory: see
// field/layer_engine.js.

import { sine, splat } from "./maths";

const ROW: usize = 128; // bytes of one feature of 32 points
const QUARTER_TURN: f32 = 1.5707963267948966;

// @ts-ignore: decorator
@inline
function storeBoth(to: usize, low: v128, high: v128, rectify: bool): void {
  if (rectify) {
    low = f32x4.max(low, splat(0));
    high = f32x4.max(high, splat(0));
  }
  v128.store(to, low);
  v128.store(to, high, 16);
}

/**
 * outputs = weights inputs + bias, then relu if asked for. Features lie as (feature, 32 points).
 *
 * @param weights blocks of four outputs: their biases, then (inputs, 4)
 * @param blocks outputs / 4
 */
export function layer(weights: usize, inputs: i32, blocks: i32, from: usize, to: usize, rectify: bool): void {
  for (let block = 0; block < blocks; block++) {
    for (let place: usize = 0; place < ROW; place += 32) {
      let weight = weights + 16;
      let feature = from + place;
      let a = v128.load32_splat(weights);
      let c = v128.load32_splat(weights, 4);
      let e = v128.load32_splat(weights, 8);
      let g = v128.load32_splat(weights, 12);
      let b = a;
      let d = c;
      let f = e;
      let h = g;
      for (let i = 0; i < inputs; i++, weight += 16, feature += ROW) {
        const low = v128.load(feature);
        const high = v128.load(feature, 16);
        let w = v128.load32_splat(weight);
        a = f32x4.add(a, f32x4.mul(w, low));
        b = f32x4.add(b, f32x4.mul(w, high));
        w = v128.load32_splat(weight, 4);
        c = f32x4.add(c, f32x4.mul(w, low));
        d = f32x4.add(d, f32x4.mul(w, high));
        w = v128.load32_splat(weight, 8);
        e = f32x4.add(e, f32x4.mul(w, low));
        f = f32x4.add(f, f32x4.mul(w, high));
        w = v128.load32_splat(weight, 12);
        g = f32x4.add(g, f32x4.mul(w, low));
        h = f32x4.add(h, f32x4.mul(w, high));
      }
      storeBoth(to + place, a, b, rectify);
      storeBoth(to + place + ROW, c, d, rectify);
      storeBoth(to + place + 2 * ROW, e, f, rectify);
      storeBoth(to + place + 3 * ROW, g, h, rectify);
    }
    weights += 16 + (<usize>inputs << 4);
    to += 4 * ROW;
  }
}

/**
 * Points and their encoding, p, sin p, cos p, sin 2p, cos 2p, ..., each over x, y, z.
 *
 * Angles are doubled from octave to octave as Python does: over ten octaves the error is at most 1e-4.
 *
 * @param points (3, 32)
 * @param to (3 + 6 octaves, 32)
 */
export function encode(points: usize, octaves: i32, to: usize): void {
  for (let place: usize = 0; place < 3 * ROW; place += 16) {
    const x = v128.load(points + place);
    v128.store(to + place, x);
    if (!octaves) continue;
    let sin = sine(x);
    let cos = sine(f32x4.add(x, splat(QUARTER_TURN)));
    let row = to + place;
    for (let octave = 0; octave < octaves; octave++) {
      row += 3 * ROW;
      v128.store(row, sin);
      row += 3 * ROW;
      v128.store(row, cos);
      const twice = f32x4.add(sin, sin);
      const next = f32x4.mul(twice, cos);
      cos = f32x4.sub(splat(1), f32x4.mul(twice, sin));
      sin = next;
    }
  }
}
