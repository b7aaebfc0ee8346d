// exp and sin of four numbers at once, for the kernels.

export const LOG2E: f32 = 1.4426950408889634;
const INV_PI: f32 = 0.3183098861837907;
// pi in two parts, so that z - n pi keeps its precision
const PI_HIGH: f32 = 3.140625;
const PI_LOW: f32 = 0.0009676535897932;

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** 2^x for x <= 0, to 2e-7 of itself; below 2^-126 it is 0. */
// @ts-ignore: decorator
@inline
export function exp2(x: v128): v128 {
  const bounded = f32x4.max(x, splat(-127));
  const whole = f32x4.floor(bounded);
  const f = f32x4.sub(bounded, whole);
  let p = splat(0.0018775767);
  p = f32x4.add(f32x4.mul(p, f), splat(0.0089893397));
  p = f32x4.add(f32x4.mul(p, f), splat(0.0558263180));
  p = f32x4.add(f32x4.mul(p, f), splat(0.2401536000));
  p = f32x4.add(f32x4.mul(p, f), splat(0.6931530600));
  p = f32x4.add(f32x4.mul(p, f), splat(0.9999999400));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(whole), i32x4.splat(127)), 23);
  return f32x4.mul(p, power);
}

/** sin x, to 3e-7 for |x| up to some thousands. */
// @ts-ignore: decorator
@inline
export function sine(x: v128): v128 {
  const n = f32x4.nearest(f32x4.mul(x, splat(INV_PI)));
  let r = f32x4.sub(x, f32x4.mul(n, splat(PI_HIGH)));
  r = f32x4.sub(r, f32x4.mul(n, splat(PI_LOW)));
  const s = f32x4.mul(r, r);
  let p = splat(2.6083159e-6);
  p = f32x4.add(f32x4.mul(p, s), splat(-0.00019810700));
  p = f32x4.add(f32x4.mul(p, s), splat(0.0083330255));
  p = f32x4.add(f32x4.mul(p, s), splat(-0.16666658));
  p = f32x4.add(f32x4.mul(f32x4.mul(p, s), r), r);
  const odd = i32x4.shl(i32x4.trunc_sat_f32x4_s(n), 31);
  return v128.xor(p, odd);
}
