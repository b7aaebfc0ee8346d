"""The encoding in which arrays reach the page, over the network or inside an exported file.

A packet is the length of its header (4 bytes, little-endian), the header as JSON, and the arrays one after another.
header["arrays"] gives the name, type and element count of each. Positions are 16-bit fractions of their bounding box,
which is at least 64 steps per cell of any grid on display. Faces are stored as differences between successive indices,
which gzip compresses well.
"""

import json
import struct
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt16

STEPS = 65535
"""Steps of a 16-bit fraction."""


def pack(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Encode a header and arrays as a packet."""
    parts = {name: np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")) for name, a in arrays.items()}
    entries = [{"name": name, "type": a.dtype.name, "count": a.size} for name, a in arrays.items()]
    text = json.dumps(header | {"arrays": entries}).encode()
    return struct.pack("<I", len(text)) + text + b"".join(part.tobytes() for part in parts.values())


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Decode what `pack` encoded; the arrays come back flat."""
    (length,) = struct.unpack_from("<I", data)
    header, start, arrays = json.loads(data[4 : 4 + length]), 4 + length, {}
    for entry in header.pop("arrays"):
        dtype = np.dtype(entry["type"]).newbyteorder("<")
        arrays[entry["name"]] = np.frombuffer(data, dtype, entry["count"], start)
        start += entry["count"] * dtype.itemsize
    return header, arrays


def quantise(
    positions: Float[np.ndarray, "v 3"],
) -> tuple[UInt16[np.ndarray, "v 3"], list[float], list[float]]:
    """(fractions, low, size) such that positions = low + size * fractions / 65535, up to rounding."""
    low, high = positions.min(0), positions.max(0)
    size = np.maximum(high - low, 1e-12)
    return np.rint((positions - low) / size * STEPS).astype(np.uint16), low.tolist(), size.tolist()


def differences(faces: Int[np.ndarray, "f 3"]) -> np.ndarray:
    """Differences (int32) between successive vertex indices of the faces, the first one from 0."""
    return np.diff(faces.ravel(), prepend=0).astype(np.int32)
