"""The header of a radiance field's .sine file. See docs/format.md."""

import math
import struct
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sinenerf.codec.container import RADIANCE, Container, pack
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.stored_settings import check_storable, pack_settings, unpack_settings
from sinenerf.codec.tensors import StoredTensor
from sinenerf.radiance.architecture import tensors_of
from sinenerf.radiance.cameras import Camera, Capture
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.split import RULES, Split
from sinenerf.radiance.warps import NDC, Box, Contraction, Warp

SETTINGS_BYTES = 27
"""Bytes of the settings. `RadianceConfig` declares the position of each setting's bits."""
WARPS: dict[int, type[Warp]] = {0: NDC, 1 << 11: Box, 1 << 13: Contraction}
"""The kinds of warp, by the bit among those of the settings that marks them."""
GEOMETRY = struct.Struct("<36f2H")
"""warp (7), far, motion (12), scale; home's pose (7), radii (3), focus, intrinsics (4); home's width and height."""
HAS_SPLIT = 1 << 14
"""The bit among those of the settings that says that the split follows at the end of the header."""
SPLIT = struct.Struct("<BHI")
"""rule, its parameter, checksum of the names of the held-out views."""
SMALLEST_HEADER = SETTINGS_BYTES + GEOMETRY.size
LARGEST_HEADER = SMALLEST_HEADER + SPLIT.size
"""Bytes of a header without and with a split."""
LARGEST_BAKED = 2**24
"""Bound on the number of weights that a decoder builds."""
LARGEST_IMAGE = 2**14
"""Bound on the width and height of home's image, in pixels."""


def check_writable(config: RadianceConfig) -> None:
    """Raise CodecError if no reader would open a field of this architecture. `build_networks` checks that the rank
    fits."""
    check_storable(config)
    if config.baked_size > LARGEST_BAKED:
        raise CodecError(
            f"baked, the networks hold up to {config.baked_size:,} weights: a file holds at most {LARGEST_BAKED:,}. "
            f"Choose a smaller width or depth"
        )


def header_of(config: RadianceConfig, warp: Warp, far: float, capture: Capture) -> bytes:
    """The header of a field's file: everything that a decoder needs besides the tensors.

    Raises:
        CodecError: the format cannot hold these settings or this camera.
    """
    check_writable(config)
    packed = pack_settings(replace(config, skips=tuple(index for index in config.skips if index < config.depth)))
    mark = next(bit for bit, kind in WARPS.items() if isinstance(warp, kind))
    split = b"" if capture.split is None else _pack_split(capture.split)
    settings = (packed | mark | HAS_SPLIT * bool(split)).to_bytes(SETTINGS_BYTES, "little")
    home = capture.home
    if max(home.width, home.height) > LARGEST_IMAGE:
        raise CodecError(
            f"photographs of {home.width} x {home.height}: a file holds cameras of at most {LARGEST_IMAGE:,} pixels "
            f"in width and height. Train on smaller ones"
        )
    intrinsics = [home.fx, home.fy, home.cx, home.cy]
    place = [*capture.motion.ravel(), capture.scale, *_compact(home.pose), *capture.radii, capture.focus]
    geometry = GEOMETRY.pack(*_numbers_of(warp), far, *place, *intrinsics, home.width, home.height)
    return settings + geometry + split


def read_header(container: Container) -> tuple[RadianceConfig, Warp, float, Capture]:
    """Read the settings, warp, far bound and capture of a field's file.

    Raises:
        CodecError: the header is invalid, or a value in it is out of the format's bounds.
    """
    if container.kind != RADIANCE:
        raise CodecError("holds no radiance field")
    if len(container.header) not in (SMALLEST_HEADER, LARGEST_HEADER):
        raise CodecError("is damaged: its header has the wrong length")
    *numbers, width, height = GEOMETRY.unpack_from(container.header, SETTINGS_BYTES)
    if not all(map(math.isfinite, numbers)) or max(map(abs, numbers)) > 1e9:
        raise CodecError("is damaged: its header holds a number that is not finite, or too large")
    config, kind, has_split = _read_settings(int.from_bytes(container.header[:SETTINGS_BYTES], "little"))
    if has_split != (len(container.header) == LARGEST_HEADER):
        raise CodecError("is damaged: its header has the wrong length")
    split = _read_split(container.header) if has_split else None
    capture = replace(_capture(numbers[8:], width, height), split=split)
    return config, _warp(kind, numbers[:7]), numbers[7], capture


def _read_settings(packed: int) -> tuple[RadianceConfig, type[Warp], bool]:
    """(settings, kind of the warp, whether a split follows)."""
    try:
        config, rest = unpack_settings(RadianceConfig, packed)
        check_writable(config)
        tensors_of(config)
    except ValueError as error:  # out of bounds, or a rank that does not fit its layers
        raise CodecError(f"is damaged: {error}") from None
    if rest & ~HAS_SPLIT not in WARPS or max(config.skips, default=0) >= config.depth:
        raise CodecError("is damaged: its header sets bits that the format does not have")
    return config, WARPS[rest & ~HAS_SPLIT], bool(rest & HAS_SPLIT)


def _pack_split(split: Split) -> bytes:
    return SPLIT.pack(RULES.index(split.rule), split.parameter, split.checksum)


def _read_split(header: bytes) -> Split:
    rule, parameter, checksum = SPLIT.unpack_from(header, SMALLEST_HEADER)
    if rule >= len(RULES) or (parameter == 0) != (RULES[rule] == "none"):
        raise CodecError("is damaged: its header has a split that the format does not have")
    return Split(RULES[rule], parameter, checksum)


def _numbers_of(warp: Warp) -> list[float]:
    """The seven numbers of a warp."""
    if isinstance(warp, Box):
        return [*warp.centre, *warp.half, warp.near]
    if isinstance(warp, Contraction):
        return [*warp.centre, warp.radius, warp.near, 0.0, 0.0]
    return [warp.tan_x, warp.tan_y, warp.near, 0.0, 0.0, 0.0, 0.0]


def _warp(kind: type[Warp], numbers: list[float]) -> Warp:
    a, b, c, *rest = numbers
    warp: Warp
    if kind is Box:
        warp, lengths, unused = Box((a, b, c), (rest[0], rest[1], rest[2]), rest[3]), rest, []
    elif kind is Contraction:
        warp, lengths, unused = Contraction((a, b, c), rest[0], rest[1]), rest[:2], rest[2:]
    else:
        warp, lengths, unused = NDC(a, b, c), [a, b, c], rest
    if min(lengths) <= 0:
        raise CodecError("is damaged: its scene has no extent")
    if any(unused):
        raise CodecError("is damaged: its warp has more numbers than the format defines")
    return warp


def _capture(numbers: list[float], width: int, height: int) -> Capture:
    motion, scale, pose = np.reshape(numbers[:12], (3, 4)), numbers[12], _expand(numbers[13:20])
    fx, fy, cx, cy = numbers[24:28]
    if not (min(scale, fx, fy) > 0 and 0 < width <= LARGEST_IMAGE and 0 < height <= LARGEST_IMAGE):
        raise CodecError("is damaged: its camera is invalid")
    return Capture(motion, scale, Camera(pose, fx, fy, cx, cy, width, height), np.array(numbers[20:23]), numbers[23])


def _compact(pose: np.ndarray) -> list[float]:
    """A pose as a unit quaternion (w, x, y, z) and a position."""
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(pose[:, :3]).as_quat()
    return [w, x, y, z, *pose[:, 3]]


def _expand(numbers: list[float]) -> np.ndarray:
    quaternion = np.array(numbers[:4])
    length = np.linalg.norm(quaternion)
    if length**2 < 0.5:
        raise CodecError("is damaged: its camera is invalid")
    w, *axis = quaternion / length
    cross = np.cross(axis, np.eye(3)).T  # Rodrigues' formula; scipy's import would delay a viewer's first picture
    return np.column_stack([np.eye(3) + 2 * w * cross + 2 * cross @ cross, numbers[4:7]])


def overhead(config: RadianceConfig) -> int:
    """Upper bound on a file's bytes besides the coded integers: frame, header, table, and the coder's rounding."""
    frame, entry, coder = 12, 6, 6
    return frame + LARGEST_HEADER + entry * len(tensors_of(config)) + coder


def file_length(tensors: Sequence[StoredTensor]) -> int:
    """Bytes of a file with these tensors whose header has a split, as those of all trained scenes have."""
    return len(pack(RADIANCE, bytes(LARGEST_HEADER), tensors))
