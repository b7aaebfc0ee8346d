// Network 1: a workgroup follows some rays through the samples of a slab, and puts those that go on into the next list.

const LOWEST = -3.4e38; // of outputs that no relu bounds
var<workgroup> waiting: u32;
var<workgroup> votes: array<u32, LANES>;

// The part of the view layer that depends on a ray's direction alone.
@compute @workgroup_size(THREADS)
fn directions(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % LANES;
  let first = group.x * SAMPLES_AT_ONCE + 4u * lane;
  let ids = min(first + vec4u(0, 1, 2, 3), vec4u(view.tile.z - 1u));
  for (var axis = thread / LANES; axis < 3u; axis += GROUPS) {
    encode(vec4f(rays[ids.x].direction[axis], rays[ids.y].direction[axis], rays[ids.z].direction[axis],
      rays[ids.w].direction[axis]), DIRECTION_OCTAVES, axis, lane);
  }
  workgroupBarrier();
  dense(OF_DIRECTION, 0u, LOWEST, thread);
  for (var row = thread / LANES; row < VIEW_ROWS; row += GROUPS) {
    for (var i = 0u; i < 4u && first + i < view.tile.z; i++) {
      of_direction[row * CAPACITY + first + i] = features[row * LANES + lane][i];
    }
  }
}

// The view layer: its products of the features are in place.
fn add_directions(ids: vec4u, thread: u32) {
  for (var row = thread / LANES; row < VIEW_ROWS; row += GROUPS) {
    let at = row * CAPACITY + ids;
    let sum = vec4f(of_direction[at.x], of_direction[at.y], of_direction[at.z], of_direction[at.w]);
    let place = (BASE + row) * LANES + thread % LANES;
    features[place] = max(features[place] + sum, vec4f(0.0));
  }
  workgroupBarrier();
}

fn sigmoid(x: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-x));
}

// Bit 0: a colour can be seen; bit 1: a ray goes on.
fn vote() -> u32 {
  var all = workgroupUniformLoad(&votes);
  var any = 0u;
  for (var lane = 0u; lane < LANES; lane++) { any |= all[lane]; }
  return any;
}

@compute @workgroup_size(THREADS)
fn march(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) { waiting = atomicLoad(&queue.counts[slab.index]); }
  let count = workgroupUniformLoad(&waiting);
  if (group.x * SAMPLES_AT_ONCE >= count) { return; }
  let lane = thread % LANES;
  let slots = group.x * SAMPLES_AT_ONCE + 4u * lane + vec4u(0, 1, 2, 3);
  let is_ray = slots < vec4u(count);
  let at = slab.list + min(slots, vec4u(count - 1u));
  let ids = vec4u(queue.lists[at.x], queue.lists[at.y], queue.lists[at.z], queue.lists[at.w]);
  let seen = transpose(mat4x4f(rays[ids.x].seen, rays[ids.y].seen, rays[ids.z].seen, rays[ids.w].seen));
  var places = COLOURS;
  var colours = array(seen[0], seen[1], seen[2]);
  var light = select(vec4f(0.0), seen[3], is_ray);
  for (var sample = slab.first; sample < slab.end; sample++) {
    let source = sample * CAPACITY + ids;
    let low = vec4f(edges[source.x], edges[source.y], edges[source.z], edges[source.w]);
    let to = source + CAPACITY;
    let high = vec4f(edges[to.x], edges[to.y], edges[to.z], edges[to.w]);
    let u = (low + high) / 2.0;
    for (var axis = thread / LANES; axis < 3u; axis += GROUPS) {
      encode(vec4f(point_at(rays[ids.x], u.x)[axis], point_at(rays[ids.y], u.y)[axis], point_at(rays[ids.z], u.z)[axis],
        point_at(rays[ids.w], u.w)[axis]), OCTAVES, axis, lane);
    }
    workgroupBarrier();
    let density = density_of(raw_density(thread));
    let goes_on = light > vec4f(OPAQUE);
    let fills = FILLS && sample == SAMPLES - 1u;
    var weight = vec4f();
    if (thread < LANES) {
      let thickness = density * vec4f(length_between(rays[ids.x], low.x, high.x), length_between(rays[ids.y], low.y, high.y),
        length_between(rays[ids.z], low.z, high.z), length_between(rays[ids.w], low.w, high.w));
      let after = select(light, light * exp(-thickness), goes_on);
      weight = light - after;
      if (fills) { weight = select(vec4f(0.0), light, goes_on); }
      for (var i = 0u; i < 4u; i++) {
        if (goes_on[i]) { along[source[i]] = 1.0 - after[i]; }
      }
      votes[thread] = u32(fills || any(weight > vec4f(INVISIBLE))) | (u32(any(after > vec4f(OPAQUE))) << 1u);
      light = after;
    }
    let voted = vote();
    if ((voted & 1u) != 0u) {
      dense(OF_FEATURES, BASE, LOWEST, thread);
      add_directions(ids, thread);
      for (var i = 0u; i < 3u; i++) { colours[i] += weight * sigmoid(single(places[i], VIEW_ROWS, BASE, thread)); }
    }
    if ((voted & 2u) == 0u) { break; }
  }
  if (thread < LANES) {
    for (var i = 0u; i < 4u; i++) {
      if (!is_ray[i]) { continue; }
      rays[ids[i]].seen = vec4f(colours[0][i], colours[1][i], colours[2][i], light[i]);
      if (light[i] > OPAQUE) {
        queue.lists[CAPACITY - slab.list + atomicAdd(&queue.counts[slab.index + 1u], 1u)] = ids[i];
      }
    }
  }
}
