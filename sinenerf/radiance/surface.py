"""The coloured surface of a radiance field: marching cubes of its density inside the cube, then back to the world."""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from sinenerf.factored import built_once
from sinenerf.radiance import marching_cubes as meshing
from sinenerf.radiance.warps import NDC

if TYPE_CHECKING:
    import trimesh

    from sinenerf.radiance.field import RadianceField


def raw_surface(
    field: "RadianceField", resolution: int, level: float | None, progress: bool = False
) -> "trimesh.Trimesh":
    """The surface in scene coordinates, with vertex colours and with all its floaters.

    Args:
        resolution: grid samples along the longest side of the cube.
        level: density of the surface, in 1 / cube unit; by default between empty and solid.

    Raises:
        EmptySurface: a ValueError: no surface at this level.
    """
    device = next(field.parameters()).device
    # beyond the far bound of a forward-facing scene lies only background
    corners = [-1.0] * 3, [1.0, 1.0, field.far]
    with built_once(field), torch.no_grad():
        grid = meshing.density_grid(lambda p: field.density(p)[:, 0], resolution, corners, device, progress)
        mesh = meshing.marching_cubes(grid, meshing.suggest_level(grid) if level is None else level, corners)
        colours = _vertex_colours(field, mesh, (corners[1][0] - corners[0][0]) / resolution)
        mesh.visual.vertex_colors = colours
        return meshing.map_vertices(mesh, lambda v: field.warp.unwarp_points(torch.from_numpy(v)).numpy())


def extract_surface(
    field: "RadianceField", resolution: int, level: float | None, largest_component: bool, min_faces: int
) -> "trimesh.Trimesh":
    """`raw_surface` without components of fewer than `min_faces` faces.

    Raises:
        ValueError: no surface, or no component that large.
    """
    return meshing.clean(raw_surface(field, resolution, level), largest_component, min_faces)


def _vertex_colours(field: "RadianceField", mesh: "trimesh.Trimesh", cell: float) -> np.ndarray:
    """(n, 4) uint8: each vertex as seen head-on, half a cell inside, where the colour is that of the surface."""
    device = next(field.parameters()).device
    normals = torch.from_numpy(np.array(mesh.vertex_normals)).float()
    points = torch.from_numpy(np.array(mesh.vertices)).float() - 0.5 * cell * normals
    world = field.warp.unwarp_points(points)
    # the mean camera of a forward-facing scene is at the origin; around an object, look against the normal
    directions = F.normalize(world if isinstance(field.warp, NDC) else -normals, dim=-1)
    chunks = zip(points.split(2**16), directions.split(2**16), strict=True)
    colours = torch.cat([field.colour(p.to(device), d.to(device)).cpu() for p, d in chunks])
    return (F.pad(colours, (0, 1), value=1.0) * 255).round().byte().numpy()
