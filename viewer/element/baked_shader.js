/** The marching of field/baked_volume.js as a fragment shader: a ray for each pixel, over the whole canvas. */

const WARPS = { ndc: 0, box: 1, contraction: 2 };
const BACKGROUNDS = { last_sample: 0, white: 1, black: 2 };

export const VERTICES = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); }`;

/** @param {import("../field/warps.js").Warp} warp @param {keyof BACKGROUNDS} background */
export const fragments = (warp, background) => `#version 300 es
#define WARP ${WARPS[warp.kind]}
#define BACKGROUND ${BACKGROUNDS[background]}
precision highp float;
precision highp int;
precision highp sampler3D;
precision highp usampler3D;
uniform sampler3D values; // as of a BakedScene
uniform usampler3D distances;
uniform vec3 low, cell, origin;
uniform float cells, reference;
uniform mat3 rotation;
uniform vec4 lens; // fx, fy, cx, cy
uniform vec3 centre, extent; // of the warp
uniform float near;
uniform int shown; // colour, depth, accumulation, normals
uniform vec2 nearness; // that is black, and one over its range
out vec4 pixel;

vec3 direction, start, along; // of the ray: in the scene, and in the cube
float offset, gain; // of its distance from the camera

#if WARP == 0
void begin() {
  vec3 d = vec3(direction.xy, min(direction.z, -1e-3));
  offset = -(near + origin.z) / d.z;
  vec3 o = origin + offset * d;
  start = vec3(-o.xy / (extent.xy * o.z), 1.0 + 2.0 * near / o.z);
  along = vec3((o.xy / o.z - d.xy / d.z) / extent.xy, -2.0 * near / o.z);
  gain = o.z / d.z;
}
vec3 place(float f) { return start + along * f; }
float far(float f) { float b = min(f, 0.9999); return offset + gain * b / (1.0 - b); }
vec3 pulledBack(vec3 g, vec3 p) {
  vec2 q = g.xy / (extent.xy * p.z);
  return vec3(-q, (dot(q, p.xy) - 2.0 * near * g.z / p.z) / p.z);
}
#elif WARP == 1
void begin() {
  gain = max(extent.x, max(extent.y, extent.z));
  vec3 o = (origin - centre) / gain, d = mix(direction, vec3(1e-9), lessThan(abs(direction), vec3(1e-9)));
  vec3 a = (-extent / gain - o) / d, b = (extent / gain - o) / d, first = min(a, b), last = max(a, b);
  offset = max(near / gain, max(first.x, max(first.y, first.z)));
  float reach = max(min(last.x, min(last.y, last.z)), offset) - offset;
  start = o + offset * direction;
  along = direction * reach;
  offset *= gain;
  gain *= reach;
}
vec3 place(float f) { return start + along * f; }
float far(float f) { return offset + gain * f; }
vec3 pulledBack(vec3 g, vec3 p) { return g; }
#else
void begin() {}
float far(float f) { float v = min(f, 0.999); return near + extent.x * v / (1.0 - v); }
vec3 place(float f) {
  vec3 p = (origin + far(f) * direction - centre) / extent.x, a = abs(p);
  float m = max(1.0, max(a.x, max(a.y, a.z)));
  return p * (2.0 - 1.0 / m) / (2.0 * m);
}
vec3 pulledBack(vec3 g, vec3 p) {
  p = (p - centre) / extent.x;
  vec3 a = abs(p);
  float m = max(a.x, max(a.y, a.z));
  if (m <= 1.0) return g;
  vec3 axis = vec3(equal(a, vec3(m))) * sign(p);
  return g * (1.0 - 0.5 / m) / m + axis * dot(p, g) * (1.0 / m - 1.0) / (m * m);
}
#endif

vec4 voxel(vec3 p) { return texture(values, (p + 0.5) / vec3(textureSize(values, 0))); }

int ringsAt(vec3 p) {
  ivec3 brick = ivec3(floor(p / cells)), count = textureSize(distances, 0);
  if (any(lessThan(brick, ivec3(0))) || any(greaterThanEqual(brick, count))) return 1;
  return int(texelFetch(distances, brick, 0).r);
}

void main() {
  vec2 at = vec2(gl_FragCoord.x - lens.z, lens.w - gl_FragCoord.y) / lens.xy; // row 0, which is read first, is the top
  direction = normalize(rotation * vec3(at, -1.0));
  begin();
  vec3 colour = vec3(0);
  float light = 1.0, middle = 1.0, f = 0.0;
#if WARP != 2
  vec3 v = along / cell;
#endif
  for (int i = 0; i < 1024 && f < 1.0 && light > 0.00390625; i++) {
    vec3 p = (place(f) - low) / cell;
#if WARP == 2
    vec3 v = ((place(f + 1e-3) - low) / cell - p) / 1e-3;
#endif
    vec3 a = abs(v);
    float speed = max(a.x, max(a.y, a.z));
    if (!(speed > 1e-6)) break;
    float rings = float(ringsAt(p));
    if (rings > 0.0) {
      vec3 brick = floor(p / cells), least = (brick + 1.0 - rings) * cells, most = (brick + rings) * cells;
      vec3 t = mix((mix(least, most, greaterThan(v, vec3(0))) - p) / v, vec3(1e9), equal(v, vec3(0)));
      float skip = min(t.x, min(t.y, t.z)) + 0.01 / speed;
#if WARP == 2
      for (int i = 0; i < 8; i++, skip *= 0.5) {
        vec3 q = (place(f + skip) - low) / cell, over = max(least - q, q - most);
        if (max(over.x, max(over.y, over.z)) < 0.1) break;
      }
#endif
      f += skip;
      continue;
    }
    float stride = min(1.0 / speed, 1.0 - f);
    vec4 found = voxel(p + v * stride * 0.5);
    if (found.a > 0.0) {
      float opacity = 1.0 - pow(1.0 - min(found.a * found.a, 0.9999999), length(v * cell) * stride / reference);
      colour += light * opacity * found.rgb / found.a;
      if (light > 0.5) middle = f + stride * 0.5;
      light *= 1.0 - opacity;
    }
    f += stride;
  }
#if BACKGROUND == 0
  colour /= max(1e-3, 1.0 - light);
#elif BACKGROUND == 1
  colour += light;
#endif
  if (shown == 1) colour = vec3((1.0 - light) * (1.0 / max(1e-6, far(middle)) - nearness.x) * nearness.y);
  if (shown == 2) colour = vec3(1.0 - light);
  if (shown == 3) {
    vec3 p = (place(middle) - low) / cell, g;
    for (int axis = 0; axis < 3; axis++) {
      vec3 by = vec3(axis == 0, axis == 1, axis == 2);
      float ahead = voxel(p + by).a, behind = voxel(p - by).a;
      g[axis] = (ahead * ahead - behind * behind) / cell[axis];
    }
    vec3 normal = -pulledBack(g, origin + far(middle) * direction);
    colour = 0.5 + 0.5 * normal / max(1e-9, length(normal));
  }
  pixel = vec4(colour, 1.0);
}`;
