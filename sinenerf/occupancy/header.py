"""The header of an occupancy field's .sine file. See docs/format.md."""

import math
import struct
from dataclasses import replace
from typing import get_args

from sinenerf.codec.container import ADAPTER, OCCUPANCY, RADIANCE, Container, check_count
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.stored_settings import check_storable, pack_numbers, pack_settings, read_numbers, unpack_settings
from sinenerf.codec.varints import LONGEST, read_signed_varint, signed_varint
from sinenerf.common.axes import Up
from sinenerf.occupancy.architecture import shapes_of
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.solid import LARGEST_SCALE, Placement

CHOICES = 0x7F
"""Bits of the first byte that hold settings. `OccupancyConfig` declares their places, from bit 8 on those of the extras
byte."""
EXTRAS = 1 << 7
"""The bit of the first byte that says that an extras byte follows; without it, all its bits are 0."""
UPS, UP_BITS = get_args(Up), 0b111
"""Axes by their number in the lowest bits of the extras byte, which no setting uses."""
MIRROR = 1 << 3
"""The bit of the extras byte for a plane of symmetry."""
PIECES = 5
"""The first of the bits of the extras byte, up to the last, for the number of pieces."""
MOST_PIECES = 0b111
"""Pieces that a file can ask for."""
SCALE = struct.Struct("<H")
LONGEST_CENTRE = 7
"""Bytes of the longest number in the centre: 2^42 scales from the origin."""
LARGEST_PLANE = 2**15
"""Bound on the numbers of a plane of symmetry."""
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


def numbers_of(config: OccupancyConfig) -> list[str]:
    """Names of the settings that a header holds as numbers, in its order: those that the network depends on."""
    names = ["width", "depth"] + ["rank"] * (config.layer != "dense")
    return names + ["omega", "spread"] * (config.layer == "sine") + ["bandwidth"] * (config.activation != "relu")


def header_of(config: OccupancyConfig, placement: Placement) -> bytes:
    """The header: what a decoder needs besides the tensors.

    Raises:
        CodecError: the format cannot hold these settings, or this placement.
    """
    check_writable(config)
    extras, choices = divmod(pack_settings(config), 1 << 8)
    extras |= UPS.index(placement.up) | MIRROR * (placement.mirror is not None) | placement.pieces << PIECES
    first = bytes([choices | EXTRAS, extras] if extras else [choices])
    scale, centre = placement.numbers()
    if Placement.of_numbers(scale, centre, placement.up, placement.mirror, placement.pieces) != placement:
        raise CodecError(f"a file holds no centre {placement.centre} with a scale of {placement.scale}")
    place = SCALE.pack(scale) + b"".join(map(signed_varint, centre))
    if max(map(abs, centre)) >= 1 << 7 * LONGEST_CENTRE - 1:
        raise CodecError("the mesh is too far from the origin for its size. Move it nearer")
    if placement.mirror is not None:
        place += b"".join(map(signed_varint, (*placement.mirror.normal, placement.mirror.offset)))
    return first + pack_numbers(config, numbers_of(config)) + place


def read_header(container: Container) -> tuple[OccupancyConfig, Placement]:
    """Settings and placement, checked against the format's bounds. Settings that the network does not depend on have
    their defaults.

    Raises:
        CodecError: the file is of another kind, or its header is invalid or out of bounds.
    """
    if container.kind != OCCUPANCY:
        raise CodecError(OTHER_KINDS.get(container.kind, "holds no occupancy field"))
    header = container.header
    if len(header) < 2:
        raise CodecError("is damaged: its header has the wrong length")
    extras = header[1] if header[0] & EXTRAS else 0
    if header[0] & EXTRAS and not extras:
        raise CodecError("is damaged: its extras byte is empty")
    if extras & UP_BITS >= len(UPS):
        raise CodecError(f"is damaged: the format has no up axis with number {extras & UP_BITS}")
    others = UP_BITS | MIRROR | MOST_PIECES << PIECES
    config, place = _read_settings(header, header[0] & CHOICES | (extras & ~others) << 8, 1 + bool(extras))
    if place + SCALE.size > len(header):
        raise CodecError("is damaged: its header has the wrong length")
    (scale,), place = SCALE.unpack_from(header, place), place + SCALE.size
    if not 0 < scale <= LARGEST_SCALE:
        raise CodecError("is damaged: its scale is not positive, or not finite")
    centre, place = _read_signed(header, place, 3, LONGEST_CENTRE)
    mirror = None
    if extras & MIRROR:
        (x, y, z, offset), place = _read_signed(header, place, 4)
        if not (x or y or z) or max(map(abs, (x, y, z, offset))) > LARGEST_PLANE:
            raise CodecError("is damaged: its plane of symmetry has no direction, or is out of bounds")
        mirror = Mirror((x, y, z), offset)
    if place != len(header):
        raise CodecError("is damaged: its header has the wrong length")
    return config, Placement.of_numbers(scale, centre, UPS[extras & UP_BITS], mirror, extras >> PIECES)


def _read_signed(header: bytes, place: int, count: int, longest: int = LONGEST) -> tuple[list[int], int]:
    """(that many numbers, offset after them)."""
    numbers = []
    for _ in range(count):
        number, place = read_signed_varint(header, place, longest)
        numbers.append(number)
    return numbers, place


def _read_settings(header: bytes, packed: int, place: int) -> tuple[OccupancyConfig, int]:
    """(settings, offset after their numbers), from their bits and the offset of their numbers."""
    try:
        config, rest = unpack_settings(OccupancyConfig, packed)
        numbers, place = read_numbers(OccupancyConfig, numbers_of(config), header, place)
        config = replace(config, **numbers)
        check_writable(config)
    except CodecError as error:
        raise CodecError(f"is damaged: {str(error).removeprefix('is damaged: ')}") from None
    if rest:
        raise CodecError("is damaged: its header sets bits that the format does not have")
    if config.rank > config.width and config.layer != "dense":
        raise CodecError(f"is damaged: rank {config.rank} does not fit a width of {config.width}")
    return config, place


def overhead(config: OccupancyConfig, placement: Placement) -> int:
    """Bytes of a file besides the coded integers: frame, header, table, and the most that the coder rounds up by."""
    frame, entry, coder = 11, 4, 6
    return frame + len(header_of(config, placement)) + entry * len(shapes_of(config)) + coder
