"""The coloured surface of a radiance field: marching cubes of its density in the cube, mapped back to the world."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.marching_cubes import (
    Corners,
    EmptySurface,
    clean,
    density_grid,
    map_vertices,
    marching_cubes,
    suggest_level,
)
from sinenerf.radiance.warps import NDC, Box, Contraction, Points, Warp

if TYPE_CHECKING:
    import trimesh

SceneBox = tuple[float, float, float, float, float, float]
"""x0, y0, z0, x1, y1, z1 in scene coordinates."""
Visible = Callable[[Float[np.ndarray, "n 3"]], Bool[np.ndarray, " n"]]
"""Tells which points in scene coordinates a camera sees."""
LARGEST_REACH = 2.0
"""Largest x and y of the sampled part of NDC, whose cube ends at 1: the grid grows with their product."""


@runtime_checkable
class Volume(Protocol):
    """Density and colour in the cube, and the warp from the scene into it."""

    warp: Warp
    far: float
    """Coordinate in the cube beyond which only background lies: z with NDC, in all directions with a contraction."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """The trainable tensors, all on one device."""

    def density(self, points: Points) -> Float[Tensor, "*batch 1"]:
        """Density at points of the cube, in 1 / cube unit."""

    def colour(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Colour in [0, 1] at points of the cube, seen along unit directions of the world."""


def check_box(box: SceneBox | None) -> None:
    """Raise ValueError unless the first corner of a box is the smaller one."""
    if box is not None and not np.less(box[:3], box[3:]).all():
        raise ValueError(f"box {box}: give the smaller corner first, then the larger: x0 y0 z0 x1 y1 z1")


@torch.no_grad()
def extract_surface(
    volume: Volume,
    resolution: int,
    level: float | None,
    largest_component: bool,
    min_faces: int,
    box: SceneBox | None = None,
    visible: Visible | None = None,
    progress: bool = False,
    views: Sequence[Camera] = (),
) -> "trimesh.Trimesh":
    """The surface where the density passes a level, in scene coordinates, with vertex colours.

    Args:
        volume: a radiance field.
        resolution: grid samples along the longest side of the cube, or of a box within it.
        level: density of the surface, in 1 / cube unit; None chooses one between empty and solid.
        largest_component: keep only the connected piece with the most faces.
        min_faces: drop connected pieces with fewer faces.
        box: keep only the faces inside it.
        visible: keep only faces with a vertex that it reports as seen, such as by the training cameras.
        progress: show a bar with the time left.
        views: with NDC, cameras of the training: the surface reaches as far to the sides as they see, up to
            `LARGEST_REACH`. Without them it ends at the mean view, at 1.

    Raises:
        ValueError: the box is invalid, there is no surface (the message names a level to try), or no component has
            `min_faces` faces.
    """
    check_box(box)
    device = next(volume.parameters()).device
    corners = _sampled_part(volume, views)
    samples = round(resolution * max(1.0, *corners[1]))
    grid = density_grid(lambda p: volume.density(p)[:, 0], samples, corners, device, progress)
    mesh = marching_cubes(grid, suggest_level(grid) if level is None else level, corners)
    mesh.visual.vertex_colors = _vertex_colours(volume, mesh, 2 * max(corners[1]) / samples, device)
    mesh = map_vertices(mesh, lambda v: volume.warp.unwarp_points(torch.from_numpy(v)).numpy())
    if visible is not None:
        _keep_faces(mesh, visible(mesh.vertices)[mesh.faces].any(1), "no view saw the surface")
    if box is not None:
        inside = ((mesh.vertices >= box[:3]) & (mesh.vertices <= box[3:])).all(1)
        _keep_faces(mesh, inside[mesh.faces].all(1), f"no surface inside the box {box}")
    return clean(mesh, largest_component, min_faces)


def _sampled_part(volume: Volume, views: Sequence[Camera]) -> Corners:
    """The part of the cube, with NDC also beside it, that rays pass: beyond, the networks were not trained."""
    if isinstance(volume.warp, Box):
        reach = [half / max(volume.warp.half) for half in volume.warp.half]
        return [-side for side in reach], reach
    if isinstance(volume.warp, NDC) and views:
        reach = _reach(volume.warp, views)
        return [-reach[0], -reach[1], -1.0], [*reach, volume.far]
    side = volume.far if isinstance(volume.warp, Contraction) else 1.0
    return [-side] * 3, [side, side, volume.far]


def _reach(warp: NDC, views: Sequence[Camera]) -> list[float]:
    """The largest |x| and |y| in the cube of all rays of some views, which run straight to infinity."""
    ends = []
    for view in views:
        origins, directions = view.resized(32 / view.width).rays()
        rays = warp.warp_rays(origins, directions)
        ends.append(rays.points(torch.tensor([0.0, 1.0]).expand(len(origins), -1))[..., :2].abs().amax((0, 1)))
    return torch.stack(ends).amax(0).clamp(1.0, LARGEST_REACH).tolist()


def _keep_faces(mesh: "trimesh.Trimesh", keep: Bool[np.ndarray, " f"], otherwise: str) -> None:
    if not keep.any():
        raise EmptySurface(f"{otherwise}: nothing is left to write")
    mesh.update_faces(keep)
    mesh.remove_unreferenced_vertices()


def _vertex_colours(volume: Volume, mesh: "trimesh.Trimesh", cell: float, device: torch.device) -> np.ndarray:
    """(n, 4) uint8: each vertex as seen head-on, half a cell inside, where the colour is that of the surface."""
    normals = torch.from_numpy(np.array(mesh.vertex_normals)).float()
    points = torch.from_numpy(np.array(mesh.vertices)).float() - 0.5 * cell * normals
    world = volume.warp.unwarp_points(points)
    # the mean camera of a forward-facing scene is at the origin; around an object, look against the normal
    inwards = world - volume.warp.unwarp_points(torch.from_numpy(np.array(mesh.vertices)).float())
    directions = F.normalize(world if isinstance(volume.warp, NDC) else inwards, dim=-1)
    chunks = zip(points.split(2**16), directions.split(2**16), strict=True)
    colours = torch.cat([volume.colour(p.to(device), d.to(device)).cpu() for p, d in chunks])
    return (F.pad(colours, (0, 1), value=1.0) * 255).round().byte().numpy()
