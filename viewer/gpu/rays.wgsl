// What is done once for each ray, by a thread of its own: where it begins, where it is sampled, and its pixel.

@compute @workgroup_size(64)
fn begin(@builtin(global_invocation_id) thread: vec3u) {
  let ray = thread.x;
  if (ray == 0u) { atomicStore(&queue.counts[0], view.tile.z); }
  if (ray >= view.tile.z) { return; }
  let pixel = view.tile.y + ray;
  let x = (f32(pixel % view.tile.x) + 0.5 - view.lens.z) / view.lens.x;
  let y = (view.lens.w - f32(pixel / view.tile.x) - 0.5) / view.lens.y;
  rays[ray] = warped(normalize(x * view.right.xyz + y * view.up.xyz - view.back.xyz));
  queue.lists[ray] = ray;
}

// From the densities of equal bins to the edges between the samples of network 1.
@compute @workgroup_size(64)
fn place_samples(@builtin(global_invocation_id) thread: vec3u) {
  let id = thread.x;
  if (id >= view.tile.z) { return; }
  let ray = rays[id];
  let bins = f32(BINS);
  var light = 1.0;
  var total = 0.0;
  for (var bin = 0u; bin < BINS; bin++) {
    let at = bin * CAPACITY + id;
    let after = light * exp(-along[at] * length_between(ray, f32(bin) / bins, f32(bin + 1u) / bins));
    along[at] = light - after + PADDING;
    total += along[at];
    light = after;
  }
  var count = 0u; // of edges
  var joined = 0u; // edges of bins that are among them
  var bin = 0u;
  var below = 0.0;
  for (var j = 0u; j <= FINE_SAMPLES; j++) {
    let u = (f32(j) + 0.5) / f32(FINE_SAMPLES + 1u);
    var share = along[bin * CAPACITY + id] / total;
    while (bin < BINS - 1u && below + share <= u) {
      below += share;
      bin++;
      share = along[bin * CAPACITY + id] / total;
    }
    let edge = (f32(bin) + clamp((u - below) / share, 0.0, 1.0)) / bins;
    while (JOINS_BINS && joined <= BINS && f32(joined) / bins <= edge) {
      edges[count * CAPACITY + id] = f32(joined) / bins;
      joined++;
      count++;
    }
    edges[count * CAPACITY + id] = edge;
    count++;
  }
  while (JOINS_BINS && joined <= BINS) {
    edges[count * CAPACITY + id] = f32(joined) / bins;
    joined++;
    count++;
  }
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) thread: vec3u) {
  let id = thread.x;
  if (id >= view.tile.z) { return; }
  let ray = rays[id];
  let accumulation = 1.0 - ray.seen.w;
  var sample = 0u; // where half of the accumulation is reached
  while (sample < SAMPLES - 1u && along[sample * CAPACITY + id] < accumulation / 2.0) { sample++; }
  let middle = (edges[sample * CAPACITY + id] + edges[(sample + 1u) * CAPACITY + id]) / 2.0;
  let colour = clamp(ray.seen.rgb + BEHIND * ray.seen.w, vec3f(0.0), vec3f(1.0));
  let pixel = view.tile.w + id;
  output[3u * pixel] = colour.r;
  output[3u * pixel + 1u] = colour.g;
  output[3u * pixel + 2u] = colour.b;
  output[3u * view.chunk.x + pixel] = distance_at(ray, middle);
  output[4u * view.chunk.x + pixel] = accumulation;
}
