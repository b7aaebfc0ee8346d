"""How arrays travel to the page, over the wire or inside an exported file.

A packet is the length of its header (4 bytes, little-endian), the header as JSON, and the arrays one after the other.
header["arrays"] names each with its type and count. Positions are 16-bit fractions of their box, 64 steps and more to a
cell of any grid that is shown; faces are differences from one index to the next, which gzip packs well.
"""

import json
import struct
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt16

STEPS = 65535
"""Of a 16-bit fraction."""


def pack(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """A packet of little-endian arrays."""
    parts = {name: np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")) for name, a in arrays.items()}
    listed = [{"name": name, "type": a.dtype.name, "count": a.size} for name, a in arrays.items()]
    text = json.dumps(header | {"arrays": listed}).encode()
    return struct.pack("<I", len(text)) + text + b"".join(part.tobytes() for part in parts.values())


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `pack` was given, the arrays flat."""
    (length,) = struct.unpack_from("<I", data)
    header, start, arrays = json.loads(data[4 : 4 + length]), 4 + length, {}
    for entry in header.pop("arrays"):
        kind = np.dtype(entry["type"]).newbyteorder("<")
        arrays[entry["name"]] = np.frombuffer(data, kind, entry["count"], start)
        start += entry["count"] * kind.itemsize
    return header, arrays


def quantise(
    positions: Float[np.ndarray, "v 3"],
) -> tuple[UInt16[np.ndarray, "v 3"], list[float], list[float]]:
    """(fractions, low, size): positions = low + size * fractions / 65535."""
    low, high = positions.min(0), positions.max(0)
    size = np.maximum(high - low, 1e-12)
    return np.rint((positions - low) / size * STEPS).astype(np.uint16), low.tolist(), size.tolist()


def differences(faces: Int[np.ndarray, "f 3"]) -> np.ndarray:
    """Faces as int32 steps from one index to the next, the first from 0."""
    return np.diff(faces.ravel(), prepend=0).astype(np.int32)
