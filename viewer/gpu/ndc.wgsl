// Warp of a forward-facing capture: as ndcRay in field/warps.js. TAN_X, TAN_Y and NEAR are the file's.

fn warped(direction: vec3f) -> Ray {
  let d = vec3f(direction.xy, min(direction.z, -1e-3));
  let to_near = -(NEAR + view.position.z) / d.z;
  let o = view.position.xyz + to_near * d;
  let tan = vec2f(TAN_X, TAN_Y);
  let start = vec3f(-o.xy / (tan * o.z), 1.0 + 2.0 * NEAR / o.z);
  let step = vec3f((o.xy / o.z - d.xy / d.z) / tan, -2.0 * NEAR / o.z);
  return Ray(vec4f(start, length(step)), vec4f(step, to_near), vec4f(direction, o.z / d.z), vec4f(0.0, 0.0, 0.0, 1.0));
}

fn distance_at(ray: Ray, fraction: f32) -> f32 {
  let bounded = min(fraction, 1.0 - 1e-4);
  return ray.step.w + ray.direction.w * bounded / (1.0 - bounded);
}
