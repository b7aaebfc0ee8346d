"""Occupancies, pixels and adapters from the contents of a .sine file, written from docs/format.md alone, with numpy."""

import numpy as np


def product(config, U, V, inputs, a):
    """U V^T with the anchored rows of V; a depends on the activation."""
    k, omega, spread = U.shape[1], config["omega"], config["spread"]
    if len(V) < inputs:
        of_sine = np.sqrt(1 / 3) if config["paper"] else np.sqrt(spread * np.sqrt(k) / omega)
        c = of_sine if config["layer"] == 0 else (a * a * k / inputs) ** 0.25
        V = np.concatenate([c * np.eye(k), V])
    return U @ V.T


def gain(config, k, inputs, a):
    """g of a sine layer that does not learn it."""
    if config["paper"]:
        return np.sqrt(inputs)
    return np.sqrt((1 - (1 + 4 * config["spread"] ** 2 / k) ** (-k / 2)) / 2 * inputs) / a


def occupancy(config, tensors, cube):
    """Logits at points (n, 3) of the cube."""
    b, t, w = config["bandwidth"], (1.0, 3.0, 1.0)[config["activation"]], config["width"]
    act = [lambda z: np.maximum(z, 0), lambda z: np.exp(-((b * z) ** 2) / 2), lambda z: np.sin(b * z)]
    act, power = act[config["activation"]], {1: (1 + 2 * t * t) ** -0.5, 2: (1 - np.exp(-2 * t * t)) / 2}
    a = t / (b * np.sqrt(power[config["activation"]])) if config["activation"] else np.sqrt(2)
    g = gain(config, config["rank"], w, a)
    value = {name: values for name, (_, values) in tensors.items()}
    if config["mirror"]:
        *normal, offset = np.array(config["mirror"], np.float64) / 2**14
        normal /= np.linalg.norm(normal)
        cube = cube - 2 * np.minimum(0, cube @ normal - offset)[:, None] * normal
    h = act(cube @ value["trunk.layers.0.weight"].T + value["trunk.layers.0.bias"])
    for i in range(1, config["depth"]):
        of = {name: value.get(f"trunk.layers.{i}.{name}") for name in ("weight", "U", "V", "bias", "omega", "gain")}
        weight = of["weight"] if config["layer"] == 2 else product(config, of["U"], of["V"], w, a)
        if config["layer"] == 0:
            omega, own = (known if of[n] is None else of[n] for n, known in (("omega", config["omega"]), ("gain", g)))
            weight = np.sin(omega * weight) / own
        h = act(h @ weight.T + of["bias"])
    return (h @ value["head.weight"].T + value["head.bias"])[:, 0]


def encoded(points, octaves):
    angles = [points * 2.0**octave for octave in range(octaves)]
    return np.concatenate([points, *(wave(angle) for angle in angles for wave in (np.sin, np.cos))], axis=-1)


class Renderer:
    """Renders a radiance field as read by `independent_reader.read`."""

    def __init__(self, config, tensors):
        self.config, self.value = config, {name: values for name, (_, values) in tensors.items()}

    def affine(self, name, h, a):
        """A layer of either network; a depends on the activation that follows."""
        config, value, inputs = self.config, self.value, h.shape[-1]
        if f"{name}.weight" in value:
            return h @ value[f"{name}.weight"].T + value[f"{name}.bias"]
        weight = product(config, value[f"{name}.U"], value[f"{name}.V"], inputs, a)
        if config["layer"] == 0:
            k, omega = value[f"{name}.U"].shape[1], value.get(f"{name}.omega", config["omega"])
            weight = np.sin(omega * weight) / value.get(f"{name}.gain", gain(config, k, inputs, a))
        return h @ weight.T + value[f"{name}.bias"]

    def trunk(self, network, points, depth, octaves, skips):
        x = h = encoded(points, octaves)
        for i in range(depth):
            h = np.maximum(self.affine(f"{network}.layers.{i}", h, 2**0.5), 0)
            if skips >> i & 1:
                h = np.concatenate([x, h], axis=-1)
        return h

    def density(self, network, points):
        """Density at points of the cube, and the features it is computed from."""
        c = self.config
        if network == 0 and c["sampling"]:
            t = self.trunk(0, points, c["shallow"], c["octaves"], 0)
            raw = self.affine("0.head", t, 1)
        else:
            t = self.trunk(network, points, c["depth"], c["position"], c["skips"])
            raw = self.affine(f"{network}.density", t, 1)
        return (np.exp(np.minimum(raw, 12)) if c["density_activation"] else np.log1p(np.exp(raw)))[..., 0], t

    def colour(self, t, directions):
        """Of the second network, from its features (rays, samples, w)."""
        seen = encoded(directions, self.config["direction"])[:, None].repeat(t.shape[1], axis=1)
        view = self.affine("1.view", np.concatenate([self.affine("1.feature", t, 1), seen], axis=-1), 2**0.5)
        return 1 / (1 + np.exp(-self.affine("1.colour", np.maximum(view, 0), 1)))

    def path(self, o, d):
        """The points (rays, edges, 3) of rays in the cube as a function of u (rays, edges)."""
        if self.config["contraction"]:
            return lambda u: self.contracted(o, d, np.minimum(u, 0.999))
        start, step = self.box_ray(o, d) if self.config["box"] else self.ndc_ray(o, d)
        return lambda u: start[:, None] + u[..., None] * step[:, None]

    def contracted(self, o, d, v):
        (*centre, r, near), _ = np.split(np.array(self.config["warp"]), [5])
        y = (o[:, None] + (near + r * v / (1 - v))[..., None] * d[:, None] - centre) / r
        m = np.maximum(1, np.abs(y).max(-1, keepdims=True))
        return y * (2 - 1 / m) / (2 * m)

    def box_ray(self, o, d):
        """Where rays begin in the cube, and from there to their ends."""
        centre, half, near = np.split(np.array(self.config["warp"]), [3, 6])
        start, limit = (o - centre) / half.max(), half / half.max()
        ends = np.sort([(-limit - start) / d, (limit - start) / d], axis=0)
        enter = np.maximum(ends[0].max(1, keepdims=True), near / half.max())
        return start + enter * d, (np.maximum(enter, ends[1].min(1, keepdims=True)) - enter) * d

    def ndc_ray(self, o, d):
        tan_x, tan_y, near = self.config["warp"][:3]
        d = np.concatenate([d[:, :2], np.minimum(d[:, 2:], -1e-3)], axis=1)
        o = o - (near + o[:, 2:]) / d[:, 2:] * d
        slope, tan = d / d[:, 2:] - o / o[:, 2:], np.array([tan_x, tan_y])
        start = np.concatenate([-o[:, :2] / (tan * o[:, 2:]), 1 + 2 * near / o[:, 2:]], axis=1)
        return start, np.concatenate([-slope[:, :2] / tan, 1 - start[:, 2:]], axis=1)

    def weights(self, network, path, edges):
        """Weights of the samples between edges from 0 to 1, and the features at them."""
        density, t = self.density(network, path((edges[:, 1:] + edges[:, :-1]) / 2))
        thickness = density * np.linalg.norm(np.diff(path(edges), axis=1), axis=-1)
        before = np.cumsum(thickness, axis=1) - thickness
        return (1 - np.exp(-thickness)) * np.exp(-before), t

    def pixels(self, origins, directions):
        """Colours of rays of the scene."""
        c, ray = self.config, self.path(origins, directions)
        edges = np.tile(np.linspace(0, 1, c["coarse"] + 1), (len(origins), 1))
        histogram = self.weights(0, ray, edges)[0] + 0.01
        total = np.cumsum(histogram / histogram.sum(1, keepdims=True), axis=1)
        u = (np.arange(c["fine"] + 1) + 0.5) / (c["fine"] + 1)
        finer = np.array([np.interp(u, [0, *row], e) for row, e in zip(total, edges, strict=True)])
        edges = finer if c["sampling"] else np.sort(np.concatenate([edges, finer], axis=1), axis=1)
        weights, t = self.weights(1, ray, edges)
        colours = self.colour(t, directions)
        behind = [colours[:, -1], 1, 0][c["background"]]
        seen = (weights[..., None] * colours).sum(1) + (1 - weights.sum(1, keepdims=True)) * behind
        return seen.clip(0, 1)


def home_rays(config):
    """Origins and directions through the pixels of the home view."""
    w, *axis = np.array(config["quaternion"])
    cross = np.cross(axis, np.eye(3)).T
    rotation = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    (fx, fy, cx, cy), (width, height) = config["lens"], config["pixels"]
    y, x = np.mgrid[:height, :width].reshape(2, -1) + 0.5
    d = np.stack([(x - cx) / fx, (cy - y) / fy, -np.ones_like(x)], axis=1) @ rotation.T
    return np.tile(config["position_of_home"], (len(d), 1)), d / np.linalg.norm(d, axis=1, keepdims=True)


def adapter_delta(settings, tensors, layer):
    """What an adapter adds to the weight of a layer."""
    own = {name: values for name, values in tensors.items() if name.startswith(f"base_model.model.{layer}.")}
    a, b = (next(values for name, values in own.items() if f"_{which}" in name) for which in "AB")
    r, n = a.shape
    matches = (value for key, value in settings.get("alpha_pattern", {}).items() if is_key_of(key, layer))
    alpha = next(matches, settings["lora_alpha"])
    s = alpha / r**0.5 if settings["use_rslora"] else alpha / r
    if settings["peft_type"] == "LORA":
        return s * b @ a
    return s * np.sin(settings["omega"] * b @ a) / settings.get("gain", n**0.5)


def is_key_of(key, name):
    ends = [name] if key.startswith("^") else [name, *(name[i + 1 :] for i, c in enumerate(name) if c == ".")]
    key = key.removeprefix("^")
    return any(len(end) == len(key) and all(k in (".", c) for k, c in zip(key, end, strict=True)) for end in ends)
