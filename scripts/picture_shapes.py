"""A picture of meshes side by side, ray-cast by open3d without a display: the README's own.

python scripts/picture_shapes.py dragon.ply field.ply --output docs/dragon.jpg --turn 180
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import trimesh
import tyro
from PIL import Image

from sinenerf.occupancy.picture import shade
from sinenerf.occupancy.shapes import read_shape


@dataclass
class Options:
    meshes: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Meshes, all seen by the first one's camera."""
    output: Path
    """Picture to write."""
    width: int = 600
    """Pixels of each."""
    height: int = 440
    """Pixels of each."""
    eye: tuple[float, float, float] = (0.35, 0.25, 1.25)
    """Where the camera is, from the middle of the bounding box, in its diagonals. It looks at the middle; y is up."""
    turn: float = 0.0
    """Turn the meshes about z first, in degrees: the shared dragon lies on its back."""


def main(options: Options) -> None:
    shapes = [read_shape(path)[0] for path in options.meshes]
    for shape in shapes:
        shape.apply_transform(trimesh.transformations.rotation_matrix(np.radians(options.turn), [0, 0, 1]))
    low, high = shapes[0].bounds
    centre, size = (low + high) / 2, float(np.linalg.norm(high - low))
    eye = centre + size * np.array(options.eye)
    pictures = [shade(shape, centre, eye, options.width, options.height) for shape in shapes]
    Image.fromarray(np.concatenate(pictures, axis=1)).save(options.output, quality=88)


if __name__ == "__main__":
    main(tyro.cli(Options))
