"""A capture as a mesh to look at: its sparse points as small coloured octahedra, its cameras as pyramids.

The base of a pyramid is the photograph, its tip the place of the camera.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from sinenerf.photographs import camera_numbers as numbers
from sinenerf.photographs.file_paths import FileFinder
from sinenerf.photographs.transforms_json import lens_of

if TYPE_CHECKING:
    import trimesh

CAMERAS = "transforms.json"
"""The file of a folder that makes it a capture."""
MOST_POINTS = 20_000
"""Of more points a random sample is shown."""
POINT, CAMERA = 0.008, 0.09
"""Size of a point and length of a camera, as shares of the cameras' mean distance from the middle of the points."""
ACCENT = (180, 83, 42)
"""Colour of the cameras."""
TO_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
"""From the axes of transforms.json, z up, to those of the page."""
OCTAHEDRON = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
PYRAMID = np.array([[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 1, 4], [1, 2, 3], [1, 3, 4]])


def is_capture(path: Path) -> bool:
    """Whether a path is a folder with cameras."""
    return path.is_dir() and (path / CAMERAS).is_file()


def capture_mesh(folder: Path) -> tuple["trimesh.Trimesh", int, int]:
    """The mesh of a folder with transforms.json and, if it names one, a PLY of points; y up, with vertex colours.

    Returns:
        (mesh, number of cameras, number of points).

    Raises:
        ValueError: transforms.json or the points cannot be read. Points that are not there are left out.
    """
    import trimesh

    poses, tangents, points, colours = _read(folder)
    positions = poses[:, :, 3]
    middle = np.median(points, axis=0) if len(points) else positions.mean(0)
    unit = float(np.linalg.norm(positions - middle, axis=1).mean()) or 1.0
    shown, shown_colours = _sample(points, colours, middle)
    offsets = POINT * unit * np.vstack([np.eye(3), -np.eye(3)])[[0, 3, 1, 4, 2, 5]]
    octahedra = shown[:, None] + offsets
    corners = np.array([[0.0, 0.0], [-1, -1], [1, -1], [1, 1], [-1, 1]])
    local = np.dstack(
        [corners[None] * tangents[:, None], np.where(corners[:, 0] == 0, 0.0, -1.0)[None].repeat(len(poses), 0)]
    )
    pyramids = CAMERA * unit * local @ poses[:, :, :3].swapaxes(1, 2) + positions[:, None]
    vertices = np.concatenate([octahedra.reshape(-1, 3), pyramids.reshape(-1, 3)])
    faces = np.concatenate([_copies(OCTAHEDRON, len(shown), 6), _copies(PYRAMID, len(poses), 5) + 6 * len(shown)])
    tints = np.concatenate([shown_colours.repeat(6, axis=0), np.tile(np.array(ACCENT, np.uint8), (5 * len(poses), 1))])
    mesh = trimesh.Trimesh(vertices @ TO_Y_UP.T, faces, vertex_colors=tints, process=False)
    return mesh, len(poses), len(points)


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Poses (N, 3, 4), tangents of half the fields of view (N, 2), points (M, 3) and their 8-bit colours (M, 3)."""
    content, frames = numbers.read_frames(folder / CAMERAS)
    finder = FileFinder(folder)
    poses = np.stack([numbers.matrix_of(keys, "transform_matrix", where) for where, keys in frames.items()])
    tangents = np.array([_tangents(keys, where, finder) for where, keys in frames.items()])
    return poses, tangents, *_cloud(finder, content.get("ply_file_path"))


def _tangents(keys: dict[str, Any], where: str, finder: FileFinder) -> tuple[float, float]:
    name = keys.get("file_path")
    picture = finder.find(name) if isinstance(name, str) else None
    fx, fy, _, _, width, height = lens_of(keys, where, picture)
    return width / fx / 2, height / fy / 2


def _cloud(finder: FileFinder, name: object) -> tuple[np.ndarray, np.ndarray]:
    """Points and their colours; none where the file is not there, without which a capture can be trained, too."""
    import trimesh

    path = finder.find(name) if isinstance(name, str) else None
    if path is None:
        return np.zeros((0, 3)), np.zeros((0, 3), np.uint8)
    try:
        cloud = trimesh.load(path)
        points = np.asarray(cloud.vertices, float).reshape(-1, 3)
        colours = np.asarray(cloud.colors, np.uint8)[:, :3]
    except Exception as error:  # whatever the reader raises
        raise ValueError(f"{path}: cannot be read as points ({error})") from None
    return points, colours if len(colours) == len(points) else np.full((len(points), 3), 120, np.uint8)


def _sample(points: np.ndarray, colours: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points to show: a sample, without the few that are very far away."""
    distance = np.linalg.norm(points - middle, axis=1)
    near = np.flatnonzero(distance <= 1.4 * np.quantile(distance, 0.9)) if len(points) else np.zeros(0, int)
    near = np.random.default_rng(0).permutation(near)[:MOST_POINTS]
    return points[near], colours[near]


def _copies(faces: Int[np.ndarray, "f 3"], count: int, vertices: int) -> Int[np.ndarray, "n 3"]:
    """The faces of `count` equal shapes of so many vertices each."""
    return (faces[None] + vertices * np.arange(count)[:, None, None]).reshape(-1, 3)
