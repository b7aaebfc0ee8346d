"""An occupancy field as a .sine file: its header, and the order of its tensors. See docs/format.md."""

import math
import struct
from typing import get_args

import numpy as np

from sinenerf.activations import Activation
from sinenerf.codec.container import (
    ADAPTER,
    OCCUPANCY,
    RADIANCE,
    Container,
    Shapes,
    check_bounds,
    check_count,
    shortest_decimal,
)
from sinenerf.codec.entropy import CodecError
from sinenerf.factored import anchored_rows
from sinenerf.layers import LayerKind
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.solid import Placement

HEADER, FAR_HEADER = struct.Struct("<BHBHfff3ff"), struct.Struct("<BHBHfff3df")
"""choices, width, depth, rank, omega, spread, bandwidth, centre, scale; the second with a centre in float64."""
LAYERS, ACTIVATIONS = get_args(LayerKind), get_args(Activation)
LARGEST_BAKED = 2**24
"""Bound on width^2 depth: the weights that a decoder builds."""
OTHERS = {
    RADIANCE: "holds a scene, not a shape. Compress its run instead; for a mesh: sinenerf export-mesh RUN",
    ADAPTER: "holds an adapter, not a shape. It needs its model: sinenerf.adapters.load_adapter",
}
"""What is said of a file of another kind."""
SCALAR = 1e-3, 1e6
BOUNDS = {
    "width": (1, 2**16 - 1),
    "depth": (1, 255),
    "rank": (1, 2**16 - 1),
    "omega": SCALAR,
    "spread": SCALAR,
    "bandwidth": SCALAR,
}


def check_writable(config: OccupancyConfig) -> None:
    """Raise CodecError where no reader would open a field of this architecture: before it is trained, or built."""
    check_bounds(config, BOUNDS)
    if config.width**2 * config.depth > LARGEST_BAKED:
        sizes = f"width {config.width} and depth {config.depth}"
        raise CodecError(f"{sizes}: a file holds a width^2 depth of at most {LARGEST_BAKED:,}")
    check_count(OCCUPANCY, sum(map(math.prod, shapes_of(config))))


def header_of(config: OccupancyConfig, placement: Placement) -> bytes:
    """What a decoder must know besides the tensors.

    Raises:
        CodecError: the format has no such header.
    """
    check_writable(config)
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


def read_header(container: Container) -> tuple[OccupancyConfig, Placement]:
    """Architecture and placement, both within the format's bounds.

    Raises:
        CodecError: a header that is none, or out of bounds.
    """
    if container.kind != OCCUPANCY:
        raise CodecError(OTHERS.get(container.kind, "holds no occupancy field"))
    layout = HEADER if len(container.header) == HEADER.size else FAR_HEADER
    if len(container.header) != layout.size:
        raise CodecError("is damaged: its header has another length")
    choices, width, depth, rank, omega, spread, bandwidth, x, y, z, scale = layout.unpack(container.header)
    layer, activation = choices & 3, choices >> 2 & 3
    if layer >= len(LAYERS) or activation >= len(ACTIVATIONS) or choices >> 7:
        raise CodecError("is damaged: it has a layer or an activation that the format does not know")
    config = OccupancyConfig(
        layer=LAYERS[layer],
        rank=rank,
        width=width,
        depth=depth,
        omega=shortest_decimal(omega),
        spread=shortest_decimal(spread),
        activation=ACTIVATIONS[activation],
        bandwidth=shortest_decimal(bandwidth),
        learn_omega=bool(choices & 16),
        learn_gain=bool(choices & 32),
        anchored=bool(choices & 64),
    )
    try:
        check_writable(config)
    except CodecError as error:
        raise CodecError(f"is damaged: {error}") from None
    if rank > width and config.layer != "dense":
        raise CodecError(f"is damaged: rank {rank} does not fit a width of {width}")
    if not (all(map(math.isfinite, (x, y, z, scale))) and scale > 0):
        raise CodecError("is damaged: its shape lies nowhere")
    return config, Placement((x, y, z), scale)


def tensors_of(config: OccupancyConfig) -> dict[str, tuple[int, ...]]:
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


def shapes_of(config: OccupancyConfig) -> Shapes:
    """Shapes alone."""
    return list(tensors_of(config).values())


def overhead(config: OccupancyConfig, placement: Placement) -> int:
    """Bytes of a file beyond the coded integers: frame, header, table; and what the coder may round up to."""
    frame, entry, coder = 11, 6, 6
    return frame + len(header_of(config, placement)) + entry * len(shapes_of(config)) + coder
