"""The header of an occupancy field's .sine file. See docs/format.md."""

import math
import struct
from typing import get_args

import numpy as np

from sinenerf.codec.container import ADAPTER, OCCUPANCY, RADIANCE, Container, check_count
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.stored_settings import check_storable, pack_settings, unpack_settings
from sinenerf.common.axes import Up
from sinenerf.occupancy.architecture import shapes_of
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.solid import Placement

SETTINGS_BYTES = 18
"""Bytes of the settings, whose bit positions `OccupancyConfig` declares. Bits beyond them are the extras byte's."""
EXTRAS = 1 << 7
"""The bit among those of the settings that says that an extras byte ends the header; without it, all its bits are 0."""
UPS, UP_BITS = get_args(Up), 0b111
"""Axes by their number in the lowest bits of the extras byte, which no setting uses."""
MIRROR, MIRROR_PLANE = 1 << 3, struct.Struct("<4h")
"""The bit of the extras byte for a plane of symmetry, and the plane, before the extras byte: normal and offset."""
PLACEMENT, FAR_PLACEMENT = struct.Struct("<3ff"), struct.Struct("<3df")
"""Centre and scale, with the centre in float32 or, far from the origin, in float64."""
LARGEST_BAKED = 2**24
"""Bound on width^2 depth, which limits the weights that a decoder builds."""
OTHER_KINDS = {
    RADIANCE: "holds a scene, not a shape. Compress its run instead; for a mesh: sinenerf mesh FILE",
    ADAPTER: "holds an adapter, not a shape. It needs its model: sinenerf.adapters.load_adapter",
}
"""Messages for files of another kind."""


def check_writable(config: OccupancyConfig) -> None:
    """Raise CodecError, before a field is built or trained, if no reader would accept its architecture."""
    check_storable(config)
    if config.width**2 * config.depth > LARGEST_BAKED:
        sizes = f"width {config.width} and depth {config.depth}"
        raise CodecError(f"{sizes}: a file holds a width^2 depth of at most {LARGEST_BAKED:,}")
    check_count(OCCUPANCY, sum(map(math.prod, shapes_of(config))))


def header_of(config: OccupancyConfig, placement: Placement) -> bytes:
    """The header: what a decoder needs besides the tensors.

    Raises:
        CodecError: the format cannot hold these settings.
    """
    check_writable(config)
    with np.errstate(over="ignore"):
        near = np.array_equal(np.array(placement.centre, np.float32), placement.centre)
    extras, settings = divmod(pack_settings(config), 1 << 8 * SETTINGS_BYTES)
    extras |= UPS.index(placement.up) | MIRROR * (placement.mirror is not None)
    first = (settings | EXTRAS * bool(extras)).to_bytes(SETTINGS_BYTES, "little")
    place = (PLACEMENT if near else FAR_PLACEMENT).pack(*placement.centre, placement.scale)
    if placement.mirror is not None:
        place += MIRROR_PLANE.pack(*placement.mirror.normal, placement.mirror.offset)
    return first + place + bytes([extras] if extras else [])


def read_header(container: Container) -> tuple[OccupancyConfig, Placement]:
    """Settings and placement, checked against the format's bounds.

    Raises:
        CodecError: the file is of another kind, or its header is invalid or out of bounds.
    """
    if container.kind != OCCUPANCY:
        raise CodecError(OTHER_KINDS.get(container.kind, "holds no occupancy field"))
    settings, place = int.from_bytes(container.header[:SETTINGS_BYTES], "little"), container.header[SETTINGS_BYTES:]
    extras = 0
    if settings & EXTRAS:
        settings ^= EXTRAS
        extras, place = (place[-1], place[:-1]) if place else (0, b"")
        if not extras:
            raise CodecError("is damaged: its header ends in an empty extras byte")
    mirror = None
    if extras & MIRROR:
        mirror, place = _read_mirror(place[-MIRROR_PLANE.size :]), place[: -MIRROR_PLANE.size]
    layout = PLACEMENT if len(place) == PLACEMENT.size else FAR_PLACEMENT
    if len(place) != layout.size:
        raise CodecError("is damaged: its header has the wrong length")
    if extras & UP_BITS >= len(UPS):
        raise CodecError(f"is damaged: the format has no up axis with number {extras & UP_BITS}")
    config = _read_settings(settings | (extras & ~(UP_BITS | MIRROR)) << 8 * SETTINGS_BYTES)
    x, y, z, scale = layout.unpack(place)
    if not (all(map(math.isfinite, (x, y, z, scale))) and scale > 0):
        raise CodecError("is damaged: its placement is not finite, or its scale not positive")
    return config, Placement((x, y, z), scale, UPS[extras & UP_BITS], mirror)


def _read_mirror(data: bytes) -> Mirror:
    if len(data) != MIRROR_PLANE.size:
        raise CodecError("is damaged: its header has the wrong length")
    x, y, z, offset = MIRROR_PLANE.unpack(data)
    if not (x or y or z):
        raise CodecError("is damaged: its plane of symmetry has no direction")
    return Mirror((x, y, z), offset)


def _read_settings(packed: int) -> OccupancyConfig:
    try:
        config, rest = unpack_settings(OccupancyConfig, packed)
        check_writable(config)
    except CodecError as error:
        raise CodecError(f"is damaged: {error}") from None
    if rest:
        raise CodecError("is damaged: its header sets bits that the format does not have")
    if config.rank > config.width and config.layer != "dense":
        raise CodecError(f"is damaged: rank {config.rank} does not fit a width of {config.width}")
    return config


def overhead(config: OccupancyConfig, placement: Placement) -> int:
    """Bytes of a file besides the coded integers: frame, header, table, and the most that the coder rounds up by."""
    frame, entry, coder = 11, 6, 6
    return frame + len(header_of(config, placement)) + entry * len(shapes_of(config)) + coder
