"""Golden files: one of each kind that the format has, and the hashes of their values."""

import hashlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parents[1] / "golden"
HASHES = dict(line.split() for line in (GOLDEN / "hashes.txt").read_text().splitlines())


def golden(folder="."):
    """The files of one kind; occupancy fields are in the folder itself."""
    return sorted((GOLDEN / folder).glob("*.sine"))


def name_of(path):
    """The name of a file in hashes.txt."""
    return str(path.relative_to(GOLDEN).with_suffix(""))


def hash_of(tensors):
    """SHA-256 of the names and values of tensors, as the independent reader returns them."""
    digest = hashlib.sha256()
    for name, (_, values) in tensors.items():
        digest.update(name.encode() + np.ascontiguousarray(values, dtype="<f4").tobytes())
    return digest.hexdigest()
