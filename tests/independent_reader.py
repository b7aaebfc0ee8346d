"""A second reader of .sine files, made from docs/format.md alone, with numpy and the standard library."""

import json
import struct
import zlib
from math import isqrt

import numpy as np

ROOTS = [isqrt(isqrt(isqrt(2 ** (256 - i)))) for i in range(8)]


def varint(data, place):
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def ratio(code):
    return 2**32 - (ROOTS[code % 8] >> (code // 8))


def frequencies(bound, a, c):
    """Frequencies of -bound..bound."""
    weight, step, bend, side = 2**31, ratio(a), ratio(c), []
    for _ in range(bound + 1):
        side.append(weight)
        weight, step = (weight * step) >> 32, (step * bend) >> 32
    weights = side[:0:-1] + side
    table = [1 + w * (2**24 - len(weights)) // sum(weights) for w in weights]
    table[bound] += 2**24 - sum(table)
    return table


def shapes(config):
    width, rank = config["width"], config["rank"]
    yield "trunk.layers.0.weight", (width, 3)
    yield "trunk.layers.0.bias", (width,)
    for i in range(1, config["depth"]):
        if config["layer"] == 2:
            yield f"trunk.layers.{i}.weight", (width, width)
        else:
            yield f"trunk.layers.{i}.U", (width, rank)
            yield f"trunk.layers.{i}.V", (width, rank)
        yield f"trunk.layers.{i}.bias", (width,)
        if config["layer"] == 0 and config["learn_omega"]:
            yield f"trunk.layers.{i}.omega", ()
        if config["layer"] == 0 and config["learn_gain"]:
            yield f"trunk.layers.{i}.gain", ()
    yield "head.weight", (1, width)
    yield "head.bias", (1,)


def read(data):
    """(config, {name: (integers or None, float32 values)})."""
    assert data[:4] == b"SINE" and data[4] == 1 and data[5] == 1
    assert zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
    length, place = varint(data, 6)
    names = ["choices", "width", "depth", "rank", "omega", "spread", "bandwidth", "x", "y", "z", "scale"]
    config = dict(zip(names, struct.unpack("<BHBHfff3df", data[place : place + length]), strict=True))
    choices = config["choices"]
    config |= {"layer": choices & 3, "activation": choices >> 2 & 3}
    config |= {"learn_omega": choices >> 4 & 1, "learn_gain": choices >> 5 & 1}
    place += length
    return config, read_tensors(data, place, shapes(config))


def read_adapter(data):
    """(settings, {name: (integers or None, float32 values)})."""
    assert data[:4] == b"SINE" and data[4] == 1 and data[5] == 3
    assert zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
    length, place = varint(data, 6)
    header = json.loads(zlib.decompress(data[place : place + length]))
    return header["config"], read_tensors(data, place + length, header["tensors"].items())


def read_tensors(data, place, shapes):
    """{name: (integers or None, float32 values)} of the table and the numbers after it."""
    table = []
    for name, shape in shapes:
        (high,) = struct.unpack_from("<H", data, place)
        place += 2
        model = None
        if high:
            bound, place = varint(data, place)
            model, place = (bound, data[place], data[place + 1]), place + 2
        table.append((name, shape, np.frombuffer(struct.pack("<I", high << 16), "<f4")[0], model))
    tensors = {}
    for name, shape, _, model in table:
        if model is None:
            count = int(np.prod(shape))
            tensors[name] = None, np.frombuffer(data, "<f4", count, place).reshape(shape)
            place += 4 * count
    words = list(struct.unpack(f"<{(len(data) - 4 - place) // 4}I", data[place:-4]))
    state = 0
    for _ in range(2):
        if words:
            state = state << 32 | words.pop()
    for name, shape, step, model in table:
        if model is None:
            continue
        bound, a, c = model
        count = int(np.prod(shape))
        if bound == 0:
            tensors[name] = np.zeros(shape, int), np.zeros(shape, np.float32)
            continue
        starts = np.cumsum([0, *frequencies(bound, a, c)])
        values = []
        for _ in range(count):
            slot = state & (2**24 - 1)
            symbol = int(np.searchsorted(starts, slot, "right")) - 1
            low, high = int(starts[symbol]), int(starts[symbol + 1])
            state = (high - low) * (state >> 24) + slot - low
            if state < 2**32 and words:
                state = state << 32 | words.pop()
            values.append(symbol - bound)
        integers = np.array(values).reshape(shape)
        tensors[name] = integers, integers.astype(np.float32) * step
    assert (not words and state == 0) or not tensors
    return tensors


def occupancy(config, tensors, cube):
    """Logits at points (n, 3) of the cube."""
    b = config["bandwidth"]
    activations = [lambda z: np.maximum(z, 0), lambda z: np.exp(-((b * z) ** 2) / 2), lambda z: np.sin(b * z)]
    activation = activations[config["activation"]]
    value = {name: values for name, (_, values) in tensors.items()}
    h = activation(cube @ value["trunk.layers.0.weight"].T + value["trunk.layers.0.bias"])
    for i in range(1, config["depth"]):
        layer = f"trunk.layers.{i}."
        weight = value[layer + "weight"] if config["layer"] == 2 else value[layer + "U"] @ value[layer + "V"].T
        if config["layer"] == 0:
            omega, g = value.get(layer + "omega", config["omega"]), value.get(layer + "gain", gain(config))
            weight = np.sin(omega * weight) / g
        h = activation(h @ weight.T + value[layer + "bias"])
    return (h @ value["head.weight"].T + value["head.bias"])[:, 0]


def gain(config):
    """g of docs/format.md."""
    k, b, spread = config["rank"], config["bandwidth"], config["spread"]
    t = {0: 1.0, 1: 3.0, 2: 1.0}[config["activation"]]
    power = {0: 0.5, 1: (1 + 2 * t * t) ** -0.5, 2: (1 - np.exp(-2 * t * t)) / 2}[config["activation"]]
    a = np.sqrt(2) if config["activation"] == 0 else t / (b * np.sqrt(power))
    variance = a * a / config["width"]
    return np.sqrt((1 - (1 + 4 * spread**2 / k) ** (-k / 2)) / 2 / variance)
