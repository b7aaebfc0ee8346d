"""A radiance field as a .sine file: its header. See docs/format.md."""

import math
import struct
from collections.abc import Sequence
from typing import get_args

import numpy as np

from sinenerf.codec.container import RADIANCE, Container, check_bounds, pack, shortest_decimal
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.tensors import StoredTensor
from sinenerf.layers import LayerKind
from sinenerf.networks import Role
from sinenerf.radiance.cameras import Camera, Capture
from sinenerf.radiance.config import Background, DensityActivation, RadianceConfig, Sampling
from sinenerf.radiance.warps import NDC, Box, Warp

SIZES = struct.Struct("<HHBHHBBHHHBB")
"""choices, width, depth, rank, skips, frequencies of position and direction, samples (two), proposal (three)."""
NUMBERS = struct.Struct("<38f2H")
"""omega, spread; warp (7), far; motion (12), scale; home's pose (12), radii... see `header_of`."""
LAYERS, SAMPLINGS, DENSITIES = get_args(LayerKind), get_args(Sampling), get_args(DensityActivation)
BACKGROUNDS, ROLES = get_args(Background), get_args(Role)
LARGEST_BAKED = 2**24
"""Bound on the weights that a decoder builds."""
LARGEST_PICTURE = 2**14
"""Bound on the width and height of the camera's picture."""
SIZE, DEPTH, SAMPLES, OCTAVES, SCALAR = (1, 2**16 - 1), (1, 16), (1, 1024), (0, 24), (1e-3, 1e6)
BOUNDS = {
    "width": (2, 2**16 - 1),  # the view layer has half of it
    "depth": DEPTH,
    "rank": SIZE,
    "position_frequencies": OCTAVES,
    "direction_frequencies": OCTAVES,
    "coarse_samples": SAMPLES,
    "fine_samples": SAMPLES,
    "proposal_width": SIZE,
    "proposal_depth": DEPTH,
    "proposal_frequencies": OCTAVES,
    "omega": SCALAR,
    "spread": SCALAR,
}


def check_writable(config: RadianceConfig) -> None:
    """Raise CodecError where no reader would open a field of this architecture, but for a rank that does not fit."""
    check_bounds(config, BOUNDS)
    if config.baked_size > LARGEST_BAKED:
        raise CodecError(
            f"baked, the networks hold up to {config.baked_size:,} weights: a file at most {LARGEST_BAKED:,}. "
            f"Choose a smaller width or depth"
        )


def header_of(config: RadianceConfig, warp: Warp, far: float, capture: Capture) -> bytes:
    """What a decoder must know besides the tensors.

    Raises:
        CodecError: the format has no such header.
    """
    check_writable(config)
    choices = LAYERS.index(config.layer) | SAMPLINGS.index(config.sampling) << 2
    choices |= DENSITIES.index(config.density_activation) << 3 | BACKGROUNDS.index(config.background) << 4
    choices |= config.learn_omega << 6 | config.learn_gain << 7 | isinstance(warp, Box) << 11
    choices |= config.anchored << 12
    choices |= sum(1 << 8 + ROLES.index(role) for role in set(config.factored))
    sizes = SIZES.pack(
        choices,
        config.width,
        config.depth,
        config.rank,
        sum(1 << index for index in range(config.depth) if index in config.skips),
        config.position_frequencies,
        config.direction_frequencies,
        config.coarse_samples,
        config.fine_samples,
        config.proposal_width,
        config.proposal_depth,
        config.proposal_frequencies,
    )
    if isinstance(warp, Box):
        box = [*warp.centre, *warp.half, warp.near]
    else:
        box = [warp.tan_x, warp.tan_y, warp.near, 0.0, 0.0, 0.0, 0.0]
    home = capture.home
    if max(home.width, home.height) > LARGEST_PICTURE:
        raise CodecError(
            f"photographs of {home.width} x {home.height}: a file holds cameras of at most {LARGEST_PICTURE:,} pixels "
            f"across and down. Train on smaller ones"
        )
    lens = [home.fx, home.fy, home.cx, home.cy]
    place = [*capture.motion.ravel(), capture.scale, *_compact(home.pose), *capture.radii, capture.focus]
    return sizes + NUMBERS.pack(config.omega, config.spread, *box, far, *place, *lens, home.width, home.height)


def read_header(container: Container) -> tuple[RadianceConfig, Warp, float, Capture]:
    """Architecture, warp, far bound and capture, all within the format's bounds.

    Raises:
        CodecError: a header that is none, or out of bounds.
    """
    if container.kind != RADIANCE:
        raise CodecError("holds no radiance field")
    if len(container.header) != SIZES.size + NUMBERS.size:
        raise CodecError("is damaged: its header has another length")
    sizes = SIZES.unpack_from(container.header)
    *numbers, width, height = NUMBERS.unpack_from(container.header, SIZES.size)
    if not all(map(math.isfinite, numbers)) or max(map(abs, numbers)) > 1e9:
        raise CodecError("is damaged: its header holds a number that is not finite")
    config = _config(sizes, *numbers[:2])
    warp = _warp(bool(sizes[0] >> 11 & 1), numbers[2:9])
    return config, warp, shortest_decimal(numbers[9]), _capture(numbers[10:], width, height)


def _config(sizes: tuple[int, ...], omega: float, spread: float) -> RadianceConfig:
    choices, width, depth, rank, skips, position, direction, coarse, fine, narrow, shallow, octaves = sizes
    layer, background = choices & 3, choices >> 4 & 3
    if layer >= len(LAYERS) or background >= len(BACKGROUNDS) or choices >> 13 or skips >> depth:
        raise CodecError("is damaged: it has a layer, a background or a skip that the format does not know")
    config = RadianceConfig(
        layer=LAYERS[layer],
        rank=rank,
        omega=shortest_decimal(omega),
        spread=shortest_decimal(spread),
        learn_omega=bool(choices & 64),
        learn_gain=bool(choices & 128),
        anchored=bool(choices & 4096),
        factored=tuple(role for index, role in enumerate(ROLES) if choices >> 8 + index & 1),
        width=width,
        depth=depth,
        skips=tuple(index for index in range(depth) if skips >> index & 1),
        position_frequencies=position,
        direction_frequencies=direction,
        sampling=SAMPLINGS[choices >> 2 & 1],
        coarse_samples=coarse,
        fine_samples=fine,
        proposal_width=narrow,
        proposal_depth=shallow,
        proposal_frequencies=octaves,
        density_activation=DENSITIES[choices >> 3 & 1],
        background=BACKGROUNDS[background],
    )
    try:
        check_writable(config)
        config.tensors()
    except ValueError as error:  # out of bounds, or a rank that does not fit its layers
        raise CodecError(f"is damaged: {error}") from None
    return config


def _warp(box: bool, numbers: list[float]) -> Warp:
    if box:
        cx, cy, cz, hx, hy, hz, near = map(shortest_decimal, numbers)
        warp: Warp = Box((cx, cy, cz), (hx, hy, hz), near)
    else:
        warp = NDC(*map(shortest_decimal, numbers[:3]))
    if min(numbers[3:7] if box else numbers[:3]) <= 0:
        raise CodecError("is damaged: its scene has no extent")
    return warp


def _capture(numbers: list[float], width: int, height: int) -> Capture:
    motion, scale, pose = np.reshape(numbers[:12], (3, 4)), numbers[12], _expand(numbers[13:20])
    fx, fy, cx, cy = numbers[24:28]
    if not (min(scale, fx, fy) > 0 and 0 < width <= LARGEST_PICTURE and 0 < height <= LARGEST_PICTURE):
        raise CodecError("is damaged: its camera is none")
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
        raise CodecError("is damaged: its camera is none")
    w, *axis = quaternion / length
    cross = np.cross(axis, np.eye(3)).T  # Rodrigues; a viewer's first picture should not wait for scipy
    return np.column_stack([np.eye(3) + 2 * w * cross + 2 * cross @ cross, numbers[4:7]])


def overhead(config: RadianceConfig) -> int:
    """Bytes of a file beyond the coded integers: frame, header, table; and what the coder may round up to."""
    frame, entry, coder = 12, 6, 6
    return frame + SIZES.size + NUMBERS.size + entry * len(config.tensors()) + coder


def file_length(tensors: Sequence[StoredTensor]) -> int:
    """Bytes of the file that these tensors make: all headers have the same length."""
    return len(pack(RADIANCE, bytes(SIZES.size + NUMBERS.size), tensors))
