"""Files of points and of Gaussian splats: PLY, and SPZ (Niantic, version 2)."""

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from sinenerf.common.files import check_suffix, replacing
from sinenerf.radiance.splats import SH0, Splats
from sinenerf.radiance.surface_points import SurfacePoints

SPLAT_FORMATS = (".ply", ".spz")
SPZ_MAGIC, SPZ_VERSION = 0x5053474E, 2
SPZ_RANGE = 2**23
"""Of a coordinate, a signed integer of 24 bits."""
SPZ_FINEST = 16
"""Most fractional bits of a coordinate."""


def save_points(points: SurfacePoints, path: Path) -> None:
    """Write a point cloud as binary PLY with normals and 8-bit colours.

    Raises:
        ValueError: the path does not end in .ply.
        OSError: the folder does not exist, or the disk is full.
    """
    check_suffix(path, ".ply")
    columns = dict(zip(["x", "y", "z", "nx", "ny", "nz"], np.hstack([points.positions, points.normals]).T, strict=True))
    colours = np.rint(255 * points.colours.clip(0, 1)).astype(np.uint8)
    _save_ply(path, columns | dict(zip(("red", "green", "blue"), colours.T, strict=True)))


def save_splats(splats: Splats, path: Path) -> None:
    """Write Gaussian splats: .ply in the layout of Kerbl et al.'s program, or .spz.

    Args:
        splats: with y up. In .ply, whose readers expect a photograph's axes, y points down.

    Raises:
        ValueError: the extension is not in `SPLAT_FORMATS`.
        OSError: the folder does not exist, or the disk is full.
    """
    check_suffix(path, *SPLAT_FORMATS)
    if path.suffix.lower() == ".spz":
        with replacing(path) as partial:
            partial.write_bytes(spz_bytes(splats))
        return
    half_turn = np.array([1, -1, -1])  # about x
    w, x, y, z = splats.rotations.T
    rotations = np.stack([-x, w, -z, y], axis=1)
    places = np.hstack([splats.positions * half_turn, splats.normals * half_turn])
    columns = dict(zip(["x", "y", "z", "nx", "ny", "nz"], places.T, strict=True))
    columns |= {f"f_dc_{i}": values for i, values in enumerate(((splats.colours - 0.5) / SH0).T)}
    columns["opacity"] = np.log(splats.opacities / (1 - splats.opacities))
    columns |= {f"scale_{i}": values for i, values in enumerate(np.log(splats.scales).T)}
    columns |= {f"rot_{i}": values for i, values in enumerate(rotations.T)}
    _save_ply(path, columns)


def _save_ply(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Columns that are not of bytes are stored as float32."""
    from plyfile import PlyData, PlyElement

    kinds = {name: "u1" if values.dtype == np.uint8 else "f4" for name, values in columns.items()}
    rows = np.empty(len(next(iter(columns.values()))), list(kinds.items()))
    for name, values in columns.items():
        rows[name] = values
    with replacing(path) as partial:
        PlyData([PlyElement.describe(rows, "vertex")], byte_order="<").write(str(partial))


def spz_bytes(splats: Splats) -> bytes:
    """The .spz file of splats: gzip of a header of 16 bytes and of 19 bytes a splat, an attribute after the other."""
    largest = float(abs(splats.positions).max())
    fraction = min(SPZ_FINEST, math.floor(math.log2((SPZ_RANGE - 1) / max(largest, 1e-9))))
    if fraction < 0:
        raise ValueError(
            f"the scene reaches {largest:.3g} from its origin: .spz holds less than {SPZ_RANGE}. Write .ply"
        )
    header = struct.pack("<IIIBBBB", SPZ_MAGIC, SPZ_VERSION, len(splats.positions), 0, fraction, 0, 0)
    steps = np.rint(splats.positions * 2**fraction).astype("<i4")
    positions = steps.view(np.uint8).reshape(*steps.shape, 4)[..., :3]
    attributes = (
        positions,
        _byte(255 * splats.opacities),
        _byte(255 * (0.15 * (splats.colours - 0.5) / SH0 + 0.5)),
        _byte(16 * (np.log(splats.scales) + 10)),
        _byte(127.5 * (splats.rotations[:, 1:] + 1)),
    )
    return gzip.compress(header + b"".join(values.tobytes() for values in attributes), mtime=0)


def _byte(values: np.ndarray) -> np.ndarray:
    return np.rint(values.clip(0, 255)).astype(np.uint8)
