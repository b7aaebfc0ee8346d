"""From a density to a mesh: sampling on a grid, marching cubes, cleaning."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sinenerf.common.progress import track

if TYPE_CHECKING:
    import trimesh

Density = Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]]
Corners = tuple[Sequence[float], Sequence[float]]
"""A box: its smallest and its largest x, y, z."""
Grid = Float[np.ndarray, "x y z"]

_CHUNK = 2**17  # points at a time: some hundred MB of activations
_EMPTY, _SOLID = 1e-1, 1e3  # per unit: a faint mist across the cube of side 2; opaque within a cell of a fine grid
_DECADES = 1e-3, 1e3  # densities over the level between which the surface is interpolated


class EmptySurface(ValueError):
    """The density has no surface at this level. The message gives the range and, if one exists, a level inside it."""


def density_grid(
    density: Density, resolution: int, box: Corners, device: torch.device | str, progress: bool = True
) -> Grid:
    """Evaluate a density at the vertices of a grid that spans a box.

    Args:
        density: called without gradients, with float32 points on `device`.
        resolution: samples along the box's longest side; along the others as many as make the cells nearly cubes.
        box: in the coordinates of `density`.
        progress: show a bar with the time left.

    Returns:
        float32, indexed by x, y, z.

    Raises:
        ValueError: fewer than two samples, or a box without volume.
    """
    low, high = np.asarray(box, dtype=np.float64)
    if resolution < 2 or not (low < high).all():
        raise ValueError(f"a grid needs at least 2 samples a side and a box with volume: {resolution}, {box}")
    cell = (high - low).max() / (resolution - 1)
    shape = np.maximum(np.rint((high - low) / cell).astype(int) + 1, 2)
    axes = [np.linspace(a, b, n, dtype=np.float32) for a, b, n in zip(low, high, shape, strict=True)]

    grid = np.empty(shape, dtype=np.float32)
    flat = grid.reshape(-1)
    with torch.no_grad():
        for start in track(range(0, flat.size, _CHUNK), "Density", show=progress):
            chunk = np.arange(start, min(start + _CHUNK, flat.size))
            indices = np.unravel_index(chunk, grid.shape)
            points = np.stack([axis[index] for axis, index in zip(axes, indices, strict=True)], axis=-1)
            flat[chunk] = density(torch.from_numpy(points).to(device)).float().cpu().numpy()
    return grid


def suggest_level(grid: Grid) -> float:
    """A level between empty and solid, strictly inside the grid's range.

    Otsu's threshold (1979) of the log density splits the grid in two; the level is halfway between their means, because
    if the two lie far apart, any threshold in the gap is Otsu's, and the lowest would show haze. Densities count as at
    least 0.1 and at most 1e3 per unit: differences beyond these limits say nothing about the surface.

    Raises:
        EmptySurface: the density is the same everywhere, or nowhere positive.
        ValueError: a density is not finite.
    """
    from skimage.filters import threshold_otsu

    low, high = _density_range(grid)
    stride = max(1, max(grid.shape) // 128)
    logs = np.log(np.clip(grid[::stride, ::stride, ::stride], _EMPTY, _SOLID, dtype=np.float64)).ravel()
    solid = logs > threshold_otsu(logs)
    if solid.any():
        level = float(np.exp((logs[solid].mean() + logs[~solid].mean()) / 2))
        if low < level < high:
            return level
    return (max(low, 0.0) + high) / 2


def marching_cubes(grid: Grid, level: float, box: Corners) -> "trimesh.Trimesh":
    """The surface where the density passes a level, by marching cubes (Lewiner et al. 2003).

    Between samples the logarithm of the density is taken as linear, three decades to either side of the level. Linear
    densities would draw the surface of a steep field near the empty end of every edge, in terraces.

    Args:
        level: in the unit of the grid.
        box: what the grid spans; the surface is open where the box cuts it.

    Returns:
        the surface in the box's coordinates; its normals point from high density to low.

    Raises:
        EmptySurface: the level is not positive and inside the grid's range.
        ValueError: a density is not finite.
    """
    import trimesh
    from skimage import measure

    low, high = _density_range(grid)
    if not max(low, 0.0) < level < high:
        raise _no_surface(grid, level, low, high)
    logs = np.clip(grid / float(level), *_DECADES)
    np.log(logs, out=logs)
    try:
        # skimage's "ascent" is what gives outward faces around high values, whatever its documentation says
        vertices, faces, _, _ = measure.marching_cubes(logs, 0.0, gradient_direction="ascent")
    except RuntimeError:  # the level is inside the range by no more than rounding
        raise _no_surface(grid, level, low, high) from None

    last = np.array(grid.shape) - 1
    corner, opposite = np.asarray(box, dtype=np.float64)
    return trimesh.Trimesh(corner + vertices / last * (opposite - corner), faces, process=False)


def map_vertices(
    mesh: "trimesh.Trimesh", function: Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n 3"]]
) -> "trimesh.Trimesh":
    """Move a mesh's vertices, and turn its faces if that mirrors space, so that outward normals stay outward.

    The map mirrors space if the Jacobian's determinant, by central differences at up to some thousand vertices, is
    negative at most of them; vertices where the map is flat do not count.
    """
    vertices = np.array(mesh.vertices)
    sample = vertices[:: max(1, len(vertices) // 4096)]
    steps = 1e-3 * mesh.scale * np.eye(3)  # not smaller: the map may compute in float32
    jacobian = np.stack([function(sample + step) - function(sample - step) for step in steps], axis=-1)
    orientation = np.sign(np.linalg.det(jacobian.astype(np.float64)))

    mapped = mesh.copy()
    mapped.vertices = function(vertices)
    return mapped.invert() if np.nansum(orientation) < 0 else mapped


def clean(mesh: "trimesh.Trimesh", largest_component: bool, min_faces: int) -> "trimesh.Trimesh":
    """Drop floaters: components, joined by shared vertices, with fewer than `min_faces` faces.

    Args:
        largest_component: keep the component with the most faces, and nothing else, whatever `min_faces` is.

    Raises:
        ValueError: no component is that large.
    """
    from trimesh.graph import connected_component_labels

    edges = mesh.faces[:, [[0, 1], [1, 2]]].reshape(-1, 2)
    component = connected_component_labels(edges, node_count=len(mesh.vertices))[mesh.faces[:, 0]]
    sizes = np.bincount(component)
    if not largest_component and sizes.max() < min_faces:
        raise ValueError(f"no component has {min_faces} faces or more: the largest has {sizes.max()}")
    cleaned = mesh.copy()
    cleaned.update_faces(component == sizes.argmax() if largest_component else sizes[component] >= min_faces)
    cleaned.remove_unreferenced_vertices()
    return cleaned


def _density_range(grid: Grid) -> tuple[float, float]:
    low, high = float(grid.min()), float(grid.max())  # NaN if any is
    if not np.isfinite([low, high]).all():
        bad = grid.size - np.count_nonzero(np.isfinite(grid))
        raise ValueError(f"the density is NaN or infinite at {bad} of {grid.size} grid points")
    if high <= max(low, 0.0):
        raise EmptySurface(f"the density runs from {low:.3g} to {high:.3g} over the grid: no level has a surface")
    return low, high


def _no_surface(grid: Grid, level: float, low: float, high: float) -> EmptySurface:
    suggestion = suggest_level(grid)
    texts = (f"{suggestion:.{digits}g}" for digits in (3, 6, 17))
    text = next(text for text in texts if low < float(text) < high)
    return EmptySurface(
        f"no surface at level {level:g}: the density runs from {low:.3g} to {high:.3g}. Try --level {text}"
    )
