"""A second reader of .sine files, written from docs/format.md alone, with numpy and the standard library."""

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


def signed(data, place):
    value, place = varint(data, place)
    return value >> 1 ^ -(value & 1), place


def ratio(code):
    return 2**32 - (ROOTS[code % 8] >> (code // 8))


def frequencies(bound, a, c, both_signs=True):
    """Frequencies of the symbols -bound..bound, or 0..bound."""
    weight, step, bend, side = 2**31, ratio(a), ratio(c), []
    for _ in range(bound + 1):
        side.append(weight)
        weight, step = (weight * step) >> 32, (step * bend) >> 32
    weights = side[:0:-1] + side if both_signs else side
    spare, total = 2**24 - len(weights), sum(weights)
    table = [1 + w * spare // total for w in weights]
    table[bound if both_signs else 0] += 2**24 - sum(table)
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
            yield f"trunk.layers.{i}.V", (width - rank * (config["anchored"] and rank < width), rank)
        yield f"trunk.layers.{i}.bias", (width,)
        yield from scalars(config, f"trunk.layers.{i}")
    yield "head.weight", (1, width)
    yield "head.bias", (1,)


def scalars(config, name):
    return [
        (f"{name}.{scalar}", ()) for scalar in ("omega", "gain") if config["layer"] == 0 and config[f"learn_{scalar}"]
    ]


def read(data):
    """(config, {name: (integers or None, float32 values)})."""
    assert data[:4] == b"SINE" and data[4] == 1 and data[5] in (1, 2)
    assert zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
    length, place = varint(data, 6)
    config, named = [None, occupancy_header, radiance_header][data[5]](data[place : place + length])
    return config, read_tensors(data, place + length, named)


def occupancy_header(header):
    extras, place = (header[1], 2) if header[0] >> 7 else (0, 1)
    config = {
        "paper": extras >> 4 & 1,
        "pieces": extras >> 5,
        "mirror": None,
        "up": ["+y", "+z", "+x", "-y", "-z", "-x"][extras & 7],
    }
    for name, bit in {"layer": 0, "activation": 2, "learn_omega": 4, "learn_gain": 5, "anchored": 6}.items():
        config[name] = header[0] >> bit & (3 if bit in (0, 2) else 1)
    config |= dict.fromkeys(["rank", "omega", "spread", "bandwidth"], 1)  # matter to nothing where they are not stored
    of_layer = [["rank", "omega", "spread"], ["rank"], []][config["layer"]]
    for name in ["width", "depth", *of_layer, *(["bandwidth"] if config["activation"] else [])]:
        config[name], place = varint(header, place)
        if name in ("omega", "spread", "bandwidth"):
            config[name] /= 100 if name == "spread" else 10
            if not config[name]:
                config[name], place = struct.unpack_from("<f", header, place)[0], place + 4
    (config["scale"],) = struct.unpack(
        "<f", struct.pack("<I", int.from_bytes(header[place : place + 2], "little") << 15)
    )
    numbers, place = [], place + 2
    while place < len(header):
        number, place = signed(header, place)
        numbers.append(number)
    assert len(numbers) == (7 if extras >> 3 & 1 else 3)
    config["centre"] = [number * config["scale"] / 64 for number in numbers[:3]]
    config["mirror"] = numbers[3:] or None
    return config, shapes(config)


def radiance_header(header):
    sizes = "choices width depth rank skips position direction coarse fine narrow shallow octaves"
    config = dict(zip(sizes.split(" "), struct.unpack_from("<HHBHHBBHHHBB", header), strict=True))
    numbers = struct.unpack_from("<38f2H", header, 19)
    parts = {"omega": 1, "spread": 1, "warp": 7, "far": 1, "motion": 12, "scale": 1, "quaternion": 4}
    for name, count in (parts | {"position_of_home": 3, "reach": 3, "middle": 1, "lens": 4, "pixels": 2}).items():
        config[name], numbers = numbers[:count] if count > 1 else numbers[0], numbers[count:]
    config["split"] = struct.unpack_from("<BHI", header, 175) if config["choices"] >> 14 & 1 else None
    assert len(header) == (182 if config["split"] else 175) and not numbers
    places = {"layer": 0, "sampling": 2, "density_activation": 3, "background": 4, "learn_omega": 6, "learn_gain": 7}
    flags = {"input": 8, "hidden": 9, "head": 10, "box": 11, "anchored": 12, "contraction": 13, "paper": 15}
    for name, place in (places | flags).items():
        config[name] = config["choices"] >> place & (3 if place in (0, 4) else 1)
    assert not any(config["warp"][7 if config["box"] else 5 if config["contraction"] else 3 :])
    networks = density_network if config["sampling"] else radiance_network, radiance_network
    return config, [(f"{i}.{name}", shape) for i in (0, 1) for name, shape in networks[i](config)]


def layer(config, name, kind, outputs, inputs, rank):
    """Tensors of one layer of a radiance field."""
    factored = config["layer"] != 2 and config[kind]
    if factored and not (kind == "head" and rank * (outputs + inputs) >= outputs * inputs):
        yield f"{name}.U", (outputs, rank)
        yield f"{name}.V", (inputs - rank * (config["anchored"] and rank < inputs), rank)
        yield f"{name}.bias", (outputs,)
        yield from scalars(config, name)
    else:
        yield f"{name}.weight", (outputs, inputs)
        yield f"{name}.bias", (outputs,)


def trunk(config, width, depth, rank, skips, inputs):
    size = inputs
    for i in range(depth):
        yield from layer(config, f"layers.{i}", "input" if i == 0 else "hidden", width, size, rank)
        size = width + (inputs if skips >> i & 1 else 0)


def radiance_network(config):
    w, k, inputs = config["width"], config["rank"], 3 + 6 * config["position"]
    last = w + (inputs if config["skips"] >> config["depth"] - 1 & 1 else 0)
    yield from trunk(config, w, config["depth"], k, config["skips"], inputs)
    sizes = {"density": (1, last), "feature": (w, last), "view": (w // 2, w + 3 + 6 * config["direction"])}
    for name, (outputs, size) in (sizes | {"colour": (3, w // 2)}).items():
        yield from layer(config, name, "head", outputs, size, k)


def density_network(config):
    w, k = config["narrow"], min(config["rank"], max(1, config["narrow"] // 4))
    yield from trunk(config, w, config["shallow"], k, 0, 3 + 6 * config["octaves"])
    yield from layer(config, "head", "head", 1, w, k)


def read_tensors(data, place, named):
    """Tensors of given names and shapes, from the table on."""
    table = []
    for name, shape in named:
        (head,) = struct.unpack_from("<H", data, place)
        place += 2
        model, runs = None, []
        if head >> 15:
            first, place = signed(data, place)
            second, place = varint(data, place)
            runs = [(0, first)]
            if second:
                first, place = signed(data, place)
                runs.append((second, first))
        if head:
            a, place = data[place], place + 1
            c = 255 if runs else max(0, a - 8)
            if head >> 13 & 1:
                c, place = data[place], place + 1
            bound = min(2**14, 32 << a // 8, 8 << (c + 8) // 16)
            if head >> 14 & 1:
                bound, place = varint(data, place)
            model = bound, a, c, runs
        table.append((name, shape, np.frombuffer(struct.pack("<I", ((head & 0x1FFF) + 10623) << 16), "<f4")[0], model))
    tensors = {}
    for name, shape in [entry[:2] for entry in table if entry[3] is None]:
        tensors[name] = None, np.frombuffer(data, "<f4", int(np.prod(shape)), place).reshape(shape)
        place += tensors[name][1].nbytes
    coded = data[place:-4] + bytes(-(len(data) - 4 - place) % 4)
    words, state = list(struct.unpack(f"<{len(coded) // 4}I", coded)), 0
    for _ in words[-2:]:
        state = state << 32 | words.pop()
    for name, shape, step, (bound, a, c, runs) in (entry for entry in table if entry[3]):
        count = int(np.prod(shape))
        starts = np.cumsum([0, *frequencies(bound, a, c, not runs)])
        values = []
        for _ in range(count):
            slot = state & (2**24 - 1)
            symbol = int(np.searchsorted(starts, slot, "right")) - 1
            low, high = int(starts[symbol]), int(starts[symbol + 1])
            state = (high - low) * (state >> 24) + slot - low
            if state < 2**32 and words:
                state = state << 32 | words.pop()
            values.append(symbol if runs else symbol - bound)
        integers = np.array(values, dtype=int)
        for begin, first in runs:  # the sum starts again in a second run
            integers[begin:] = first + np.cumsum(values[begin:])
        integers = integers.reshape(shape)
        tensors[name] = integers, integers.astype(np.float32) * step
    assert (not words and state == 0) or not tensors
    return {name: tensors[name] for name, *_ in table}


def read_adapter(data):
    """(settings, {name: (integers or None, float32 values)})."""
    assert data[:6] == b"SINE\x01\x03" and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
    length, place = varint(data, 6)
    header = json.loads(zlib.decompress(data[place : place + length]))
    return header["config"], read_tensors(data, place + length, header["tensors"].items())
