// Densities of network 0 in the middles of equal bins: a workgroup has one bin of some rays.

@compute @workgroup_size(THREADS)
fn densities(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % LANES;
  let first = group.x * SAMPLES_AT_ONCE + 4u * lane;
  let ids = min(first + vec4u(0, 1, 2, 3), vec4u(view.tile.z - 1u));
  let u = (f32(group.y) + 0.5) / f32(BINS);
  for (var axis = thread / LANES; axis < 3u; axis += GROUPS) {
    encode(vec4f(point_at(rays[ids.x], u)[axis], point_at(rays[ids.y], u)[axis], point_at(rays[ids.z], u)[axis],
      point_at(rays[ids.w], u)[axis]), OCTAVES, axis, lane);
  }
  workgroupBarrier();
  let density = density_of(raw_density(thread));
  if (thread < LANES) {
    for (var i = 0u; i < 4u && first + i < view.tile.z; i++) { along[group.y * CAPACITY + first + i] = density[i]; }
  }
}
