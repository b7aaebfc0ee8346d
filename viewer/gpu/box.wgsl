// Warp of a bounded capture: as boxRay in field/warps.js. CENTRE, HALF, LONGEST and NEAR are the file's.

fn warped(direction: vec3f) -> Ray {
  let o = (view.position.xyz - CENTRE) / LONGEST;
  let d = select(direction, vec3f(1e-9), abs(direction) < vec3f(1e-9));
  let limit = HALF / LONGEST;
  let low = min((-limit - o) / d, (limit - o) / d);
  let high = max((-limit - o) / d, (limit - o) / d);
  let enter = max(NEAR / LONGEST, max(low.x, max(low.y, low.z)));
  let length = max(0.0, min(high.x, min(high.y, high.z)) - enter);
  return Ray(vec4f(o + enter * direction, length), vec4f(length * direction, enter), vec4f(direction, 0.0), vec4f(0.0, 0.0, 0.0, 1.0));
}

fn distance_at(ray: Ray, fraction: f32) -> f32 {
  return (ray.step.w + ray.start.w * fraction) * LONGEST;
}
