"""Reads .sine files, shapes and scenes of a few kilobytes, with numpy alone. The format: docs/format.md of sinenerf.

import sine_reader
shape = sine_reader.load("dragon.sine")
inside = shape.logits(points) > 0
"""

from pathlib import Path

from sine_reader.container import LARGEST_FILE, SineFileError, open_container
from sine_reader.scene import Scene, read_scene
from sine_reader.scene_header import Camera
from sine_reader.shape import Shape, read_shape

__all__ = ["Camera", "Scene", "Shape", "SineFileError", "load"]


def load(source: "str | Path | bytes") -> Shape | Scene:
    """The field in a .sine file, given by its path or its bytes.

    Raises:
        OSError: the file cannot be read.
        SineFileError: a ValueError of one line: not a .sine file, damaged, of a newer version, or an adapter.
    """
    data = source if isinstance(source, bytes) else _read(Path(source))
    try:
        container = open_container(data)
        if container.kind == 1:
            return read_shape(container)
        if container.kind == 2:
            return read_scene(container)
        raise SineFileError("holds an adapter, which needs its model" if container.kind == 3 else "is of no known kind")
    except SineFileError as error:
        name = "the bytes" if isinstance(source, bytes) else source
        raise SineFileError(f"{name}: {error}") from None


def _read(path: Path) -> bytes:
    """A file's bytes; of one that is too large, just enough to tell."""
    with path.open("rb") as file:
        return file.read(LARGEST_FILE + 1)
