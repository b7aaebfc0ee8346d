// Rays that are straight in the cube.

fn point_at(ray: Ray, fraction: f32) -> vec3f {
  return ray.start.xyz + ray.step.xyz * fraction;
}

fn length_between(ray: Ray, low: f32, high: f32) -> f32 {
  return ray.start.w * (high - low);
}
