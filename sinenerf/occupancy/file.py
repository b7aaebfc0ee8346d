"""An occupancy field as a .sine file: its header, and the order of its tensors. See docs/format.md."""

import math
import struct
from typing import get_args

import numpy as np

from sinenerf.activations import Activation
from sinenerf.codec.container import OCCUPANCY, Container, Shapes
from sinenerf.codec.entropy import CodecError
from sinenerf.layers import LayerKind, anchored_rows
from sinenerf.occupancy.architecture import FieldConfig
from sinenerf.occupancy.labels import Placement

HEADER, FAR_HEADER = struct.Struct("<BHBHfff3ff"), struct.Struct("<BHBHfff3df")
"""choices, width, depth, rank, omega, spread, bandwidth, centre, scale; the second with a centre in float64."""
LAYERS, ACTIVATIONS = get_args(LayerKind), get_args(Activation)
LARGEST_BAKED = 2**24
"""Bound on width^2 depth: the weights that a decoder builds."""


def header_of(config: FieldConfig, placement: Placement) -> bytes:
    """What a decoder must know besides the tensors."""
    choices = LAYERS.index(config.layer) | ACTIVATIONS.index(config.activation) << 2
    choices |= config.learn_omega << 4 | config.learn_gain << 5 | config.anchored << 6
    with np.errstate(over="ignore"):
        near = np.array_equal(np.array(placement.centre, np.float32), placement.centre)
    return (HEADER if near else FAR_HEADER).pack(
        choices,
        config.width,
        config.depth,
        config.rank,
        config.omega,
        config.spread,
        config.bandwidth,
        *placement.centre,
        placement.scale,
    )


def read_header(container: Container) -> tuple[FieldConfig, Placement]:
    """Architecture and placement, both within the format's bounds.

    Raises:
        CodecError: a header that is none, or out of bounds.
    """
    if container.kind != OCCUPANCY:
        raise CodecError("holds no occupancy field")
    layout = HEADER if len(container.header) == HEADER.size else FAR_HEADER
    if len(container.header) != layout.size:
        raise CodecError("is damaged: its header has another length")
    choices, width, depth, rank, omega, spread, bandwidth, x, y, z, scale = layout.unpack(container.header)
    layer, activation = choices & 3, choices >> 2 & 3
    if layer >= len(LAYERS) or activation >= len(ACTIVATIONS) or choices >> 7:
        raise CodecError("is damaged: it has a layer or an activation that the format does not know")
    sizes = (
        width >= 1
        and depth >= 1
        and rank >= 1
        and (rank <= width or LAYERS[layer] == "dense")
        and width * width * depth <= LARGEST_BAKED
    )
    scalars = all(1e-3 <= value <= 1e6 for value in (omega, spread, bandwidth))
    if not (sizes and scalars and all(map(math.isfinite, (x, y, z, scale))) and scale > 0):
        raise CodecError("is damaged: its header is out of bounds")
    config = FieldConfig(
        LAYERS[layer],
        rank,
        width,
        depth,
        _short(omega),
        _short(spread),
        ACTIVATIONS[activation],
        _short(bandwidth),
        bool(choices & 16),
        bool(choices & 32),
        bool(choices & 64),
    )
    return config, Placement((x, y, z), scale)


def _short(value: float) -> float:
    """The shortest decimal of a float32: 0.1, where float64 would make 0.10000000149 of it."""
    return float(f"{value:.7g}")


def tensors_of(config: FieldConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a field's tensors, in the order in which a file has them."""
    width, rank = config.width, config.rank
    shapes: dict[str, tuple[int, ...]] = {"trunk.layers.0.weight": (width, 3), "trunk.layers.0.bias": (width,)}
    for index in range(1, config.depth):
        layer = f"trunk.layers.{index}."
        if config.layer == "dense":
            shapes[layer + "weight"] = (width, width)
        else:
            fixed = anchored_rows(rank, width) if config.anchored else 0
            shapes |= {layer + "U": (width, rank), layer + "V": (width - fixed, rank)}
        shapes[layer + "bias"] = (width,)
        if config.layer == "sine":
            shapes |= {layer + "omega": ()} if config.learn_omega else {}
            shapes |= {layer + "gain": ()} if config.learn_gain else {}
    return shapes | {"head.weight": (1, width), "head.bias": (1,)}


def shapes_of(config: FieldConfig) -> Shapes:
    """Shapes alone."""
    return list(tensors_of(config).values())


def overhead(config: FieldConfig, placement: Placement) -> int:
    """Bytes of a file beyond the coded integers: frame, header, table; and what the coder may round up to."""
    frame, entry, coder = 11, 6, 6
    return frame + len(header_of(config, placement)) + entry * len(shapes_of(config)) + coder
