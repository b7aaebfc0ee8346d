// A network, evaluated by a workgroup for 4 LANES samples at once. Their features stay in the workgroup's memory, as
// (row, lane), four samples to a vector. A thread computes eight outputs of a layer for the four samples of its lane.

const SAMPLES_AT_ONCE = 4u * LANES;
const THREADS = LANES * GROUPS;
const INV_PI = 0.3183098861837907;
const PI_HIGH = 3.140625; // pi in two parts, so that x - n pi keeps its precision
const PI_LOW = 0.0009676535897932;

var<workgroup> features: array<vec4f, ROWS * LANES>;
var<workgroup> partial_sums: array<vec4f, THREADS>;

// The sine of WGSL may be wrong by 2^-11, which doubling its angle eight times would make 1/8.
fn sine(x: vec4f) -> vec4f {
  let n = round(x * INV_PI);
  let r = (x - n * PI_HIGH) - n * PI_LOW;
  let s = r * r;
  let p = (((2.6083159e-6 * s - 0.00019810700) * s + 0.0083330255) * s - 0.16666658) * s * r + r;
  return select(p, -p, (vec4i(n) & vec4i(1)) == vec4i(1));
}

// One coordinate of a lane's four points or directions, and its sines and cosines.
fn encode(p: vec4f, octaves: u32, axis: u32, lane: u32) {
  features[axis * LANES + lane] = p;
  var sin = sine(p);
  var cos = sine(p + 1.5707963267948966);
  for (var octave = 0u; octave < octaves; octave++) {
    let row = 3u + 6u * octave + axis;
    features[row * LANES + lane] = sin;
    features[(row + 3u) * LANES + lane] = cos;
    let twice = sin + sin;
    let next = twice * cos;
    cos = 1.0 - twice * sin;
    sin = next;
  }
}

// max(lowest, weights inputs + bias), in blocks of four outputs. A layer says where its weights, (1 + inputs, blocks) with
// the bias first, and its inputs begin, and how many inputs and blocks there are.
fn dense(layer: vec4u, to: u32, lowest: f32, thread: u32) {
  let place = layer.x;
  let inputs = layer.y;
  let blocks = layer.w;
  let lane = thread % LANES;
  let block = thread / LANES;
  let other = block + GROUPS;
  let u = weights[place + min(block, blocks - 1u)];
  let v = weights[place + min(other, blocks - 1u)];
  var a = vec4f(u.x);
  var b = vec4f(u.y);
  var c = vec4f(u.z);
  var d = vec4f(u.w);
  var e = vec4f(v.x);
  var f = vec4f(v.y);
  var g = vec4f(v.z);
  var h = vec4f(v.w);
  var source = layer.z * LANES + lane;
  var at = place + blocks + block;
  if (other < blocks) {
    for (var i = 0u; i < inputs; i++) {
      let x = features[source];
      let w = weights[at];
      let z = weights[at + GROUPS];
      a += w.x * x;
      b += w.y * x;
      c += w.z * x;
      d += w.w * x;
      e += z.x * x;
      f += z.y * x;
      g += z.z * x;
      h += z.w * x;
      source += LANES;
      at += blocks;
    }
  } else if (block < blocks) {
    for (var i = 0u; i < inputs; i++) {
      let x = features[source];
      let w = weights[at];
      a += w.x * x;
      b += w.y * x;
      c += w.z * x;
      d += w.w * x;
      source += LANES;
      at += blocks;
    }
  }
  workgroupBarrier(); // all inputs are read before outputs take their place
  if (block < blocks) { store(a, b, c, d, (to + 4u * block) * LANES + lane, lowest); }
  if (other < blocks) { store(e, f, g, h, (to + 4u * other) * LANES + lane, lowest); }
  workgroupBarrier();
}

fn store(a: vec4f, b: vec4f, c: vec4f, d: vec4f, at: u32, lowest: f32) {
  features[at] = max(a, vec4f(lowest));
  features[at + LANES] = max(b, vec4f(lowest));
  features[at + 2u * LANES] = max(c, vec4f(lowest));
  features[at + 3u * LANES] = max(d, vec4f(lowest));
}

// A single output for the four samples of each of the first LANES threads. Weights: the bias, then four to a vector.
fn single(place: u32, inputs: u32, row: u32, thread: u32) -> vec4f {
  var sum = vec4f();
  for (var i = thread / LANES; 4u * i < inputs; i += GROUPS) {
    let w = weights[place + 1u + i];
    let at = (row + 4u * i) * LANES + thread % LANES;
    sum += w.x * features[at] + w.y * features[at + LANES] + w.z * features[at + 2u * LANES] + w.w * features[at + 3u * LANES];
  }
  partial_sums[thread] = sum;
  workgroupBarrier();
  var total = vec4f(weights[place].x);
  if (thread < LANES) {
    for (var part = thread; part < THREADS; part += LANES) { total += partial_sums[part]; }
  }
  workgroupBarrier();
  return total;
}

fn density_of(raw: vec4f) -> vec4f {
  if (IS_EXP) { return exp(min(raw, vec4f(12.0))); }
  return max(raw, vec4f(0.0)) + log(1.0 + exp(-abs(raw)));
}

// The density before its activation, of the points that are encoded.
fn raw_density(thread: u32) -> vec4f {
  var layers = LAYERS; // a constant may not be indexed everywhere
  for (var i = 0u; i < DEPTH; i++) { dense(layers[i], BASE, 0.0, thread); }
  return single(DENSITY.x, DENSITY.y, DENSITY.z, thread);
}
