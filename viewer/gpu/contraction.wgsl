// Warp of all space, which bends rays: as BentRay in field/warps.js. CENTRE, RADIUS and NEAR are the file's.

fn warped(direction: vec3f) -> Ray {
  return Ray(vec4f(), vec4f(), vec4f(direction, 0.0), vec4f(0.0, 0.0, 0.0, 1.0));
}

fn distance_at(ray: Ray, fraction: f32) -> f32 {
  let v = min(fraction, 0.999);
  return NEAR + RADIUS * v / (1.0 - v);
}

fn point_at(ray: Ray, fraction: f32) -> vec3f {
  let y = (view.position.xyz - CENTRE + distance_at(ray, fraction) * ray.direction.xyz) / RADIUS;
  let m = max(1.0, max(abs(y.x), max(abs(y.y), abs(y.z))));
  return y * ((2.0 - 1.0 / m) / (2.0 * m));
}

fn length_between(ray: Ray, low: f32, high: f32) -> f32 {
  return distance(point_at(ray, low), point_at(ray, high));
}
