"""A texture for the mesh of a radiance field: an atlas by xatlas, each texel the colour that the field shows there."""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sinenerf.radiance.surface import Volume
from sinenerf.radiance.volume_rendering import weights_of
from sinenerf.radiance.warps import NDC

if TYPE_CHECKING:
    import trimesh

SMALLEST, LARGEST = 16, 8192
"""Sides of a texture, in texels."""
REACH, SAMPLES = 3.0, 12
"""Cells on either side of a mesh that a ray searches for the surface, which a decimated mesh misses; its samples."""
CHUNK = 2**15
"""Rays at a time."""
BORDER = 0.75
"""Texels by which a triangle is enlarged, so that its edges are covered."""


def check_texture(size: int | None) -> None:
    """Raise ValueError if no texture has this size."""
    if size is not None and not SMALLEST <= size <= LARGEST:
        raise ValueError(f"a texture of {size} texels a side: choose {SMALLEST} to {LARGEST}")


@torch.no_grad()
def textured(volume: Volume, mesh: "trimesh.Trimesh", size: int, cell: float) -> "trimesh.Trimesh":
    """The mesh with a texture in place of its vertex colours; vertices are repeated along the seams of the atlas.

    Args:
        mesh: in scene coordinates.
        size: of the texture's side, in texels; xatlas may need a few more or fewer.
        cell: of the grid that the mesh comes from, in the cube.
    """
    import trimesh
    import xatlas
    from PIL import Image

    check_texture(size)
    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    options = xatlas.PackOptions()
    options.resolution, options.padding, options.bilinear = size, 2, True
    atlas.generate(pack_options=options)
    old, faces, uv = atlas[0]
    faces = faces.astype(np.int64)
    texels, face, barycentric = _texels_of(uv * [atlas.width, atlas.height], faces, atlas.width, atlas.height)
    corners = old[faces[face]]
    points, normals = (
        torch.from_numpy(np.einsum("nk,nkc->nc", barycentric, np.asarray(values)[corners])).float()
        for values in (mesh.vertices, mesh.vertex_normals)
    )
    image = np.zeros((atlas.height * atlas.width, 3), np.uint8)
    image[texels] = (255 * _seen_colours(volume, points, normals, cell)).round().byte().numpy()
    picture = Image.fromarray(_spread(image, texels, atlas.width, atlas.height))
    material = trimesh.visual.material.SimpleMaterial(image=picture)
    visual = trimesh.visual.TextureVisuals(uv * [1, -1] + [0, 1], material=material)  # trimesh has v upwards
    return trimesh.Trimesh(mesh.vertices[old], faces, visual=visual, process=False)


def _texels_of(
    places: Float[np.ndarray, "n 2"], faces: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray, Float[np.ndarray, "m 3"]]:
    """(the texels that triangles cover, row by row; the face of each; its barycentric coordinates (m, 3) there).

    Args:
        places: of the vertices, in texels from the upper left corner.
    """
    corners = places[faces]
    low = np.floor(corners.min(1) - BORDER).astype(np.int64).clip(0)
    high = np.ceil(corners.max(1) + BORDER).astype(np.int64).clip(max=[width, height])
    spans = (high - low).clip(0)
    counts = spans.prod(1)
    face = np.repeat(np.arange(len(faces)), counts)
    within = np.arange(len(face)) - np.repeat(counts.cumsum() - counts, counts)
    x, y = low[face, 0] + within % spans[face, 0], low[face, 1] + within // spans[face, 0]
    a, b, c = corners.transpose(1, 0, 2)
    sides = (b, c), (c, a), (a, b)
    area = _cross(b - a, c - a)
    lengths = np.stack([np.linalg.norm(v - u, axis=1) for u, v in sides], axis=1)
    heights = abs(area)[:, None] / np.maximum(lengths, 1e-12)
    solid = abs(area[face]) > 1e-12
    face, x, y = face[solid], x[solid], y[solid]
    p = np.stack([x, y], axis=1) + 0.5
    weights = np.stack([_cross((v - u)[face], p - u[face]) / area[face] for u, v in sides], axis=1)
    outside = (-weights * heights[face]).max(1)  # distance from the triangle, in texels: negative inside
    near = outside < BORDER
    texels, face, weights, outside = (values[near] for values in (y * width + x, face, weights, outside))
    order = np.lexsort((outside, texels))  # the face that a texel lies deepest in has it
    texels, first = np.unique(texels[order], return_index=True)
    best = order[first]
    inside = weights[best].clip(0)
    return texels, face[best], inside / inside.sum(1, keepdims=True)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _seen_colours(volume: Volume, points: Tensor, normals: Tensor, cell: float) -> Float[Tensor, "n 3"]:
    """Colours at points of a mesh, as the mean camera of a forward-facing scene sees them, or else head-on."""
    device = next(volume.parameters()).device
    colours = []
    for world, normal in zip(points.split(CHUNK), normals.split(CHUNK), strict=True):
        directions = -F.normalize(normal, dim=-1)
        if isinstance(volume.warp, NDC):  # whose mean camera is at the origin
            seen = (world * directions).sum(-1, keepdim=True) > 0
            directions = torch.where(seen, F.normalize(world, dim=-1), directions)
        middle = volume.warp.warp_points(world)
        step = 1e-3 * world.norm(dim=-1, keepdim=True).clamp(min=1e-3)
        along = F.normalize(volume.warp.warp_points(world + step * directions) - middle, dim=-1)
        t = cell * torch.linspace(-REACH, REACH, SAMPLES)
        samples = (middle[:, None] + t[:, None] * along[:, None]).to(device)
        lengths = torch.full(samples.shape[:2], 2 * REACH * cell / (SAMPLES - 1), device=device)
        weights = weights_of(volume.density(samples), lengths)
        repeated = directions.to(device).repeat_interleave(SAMPLES, 0)
        sampled = volume.colour(samples.flatten(0, 1), repeated).view(*samples.shape)
        total = weights.sum(1)
        mean = (weights * sampled).sum(1) / total.clamp(min=1e-6)
        middle_sample = sampled[:, SAMPLES // 2]  # where the field is empty all along
        colours.append(torch.where(total > 1e-3, mean, middle_sample).cpu())
    return torch.cat(colours)


def _spread(image: np.ndarray, texels: np.ndarray, width: int, height: int) -> np.ndarray:
    """The texture (height, width, 3), with the nearest colour wherever no triangle lies, for filters and mip maps."""
    from scipy.ndimage import distance_transform_edt

    empty = np.ones(height * width, bool)
    empty[texels] = False
    rows, columns = distance_transform_edt(empty.reshape(height, width), return_distances=False, return_indices=True)
    return image.reshape(height, width, 3)[rows, columns]
