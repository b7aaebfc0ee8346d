"""Extracted surfaces equal those of a densely evaluated grid."""

import math

import igl
import numpy as np
import pytest
import torch
import trimesh

from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.solid import Placement
from sinenerf.occupancy.surface import MIN_OFFSET, extract_surface

PLACEMENT = Placement((0.0, 0.0, 0.0), 1.0)


def extract(logits, *settings, placement=PLACEMENT):
    return extract_surface(logits, placement, *settings)


def ball_and_thin_parts(p):
    """Logit of a ball with a plate 0.02 thick and a rod of radius 0.015, and a second small ball apart."""
    x, y, z = p.unbind(-1)
    ball = 0.35 - (p + 0.3).norm(dim=-1)
    plate = 0.01 - torch.maximum(abs(z), torch.maximum(abs(x), abs(y)) - 0.7)
    rod = 0.015 - torch.maximum(torch.hypot(x - 0.5, y - 0.5), abs(z) - 0.8)
    small = 0.03 - (p - torch.tensor([-0.8, 0.8, 0.8])).norm(dim=-1)
    return 40 * torch.stack([ball, plate, rod, small]).amax(0)


def dense(logits, resolution, level=0.5):
    """Marching cubes of every vertex of the grid."""
    axis = 2 * np.arange(resolution + 1) / resolution - 1
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    values = logits(torch.from_numpy(points).float()).detach().numpy() - np.float32(math.log(level / (1 - level)))
    wall = (abs(points) >= 1).any(1)
    values[wall] = np.minimum(values[wall], np.float32(-1e-3))
    values = np.where(values > 0, np.maximum(values, MIN_OFFSET), np.minimum(values, -MIN_OFFSET))
    number = np.arange(len(points)).reshape([resolution + 1] * 3)
    corners = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
    r = resolution
    index = np.stack([number[a : a + r, b : b + r, c : c + r].ravel() for a, b, c in corners], axis=1)
    vertices, faces, _ = igl.marching_cubes(-values.astype(np.float64), points, np.ascontiguousarray(index), 0.0)
    return vertices, faces


def triangles(vertices, faces):
    """Triangles as a sorted array: neither the numbering nor the order counts."""
    corners = vertices[faces]
    first = np.lexsort(np.round(corners, 9).transpose(2, 0, 1), axis=-1)[:, 0]
    turned = np.stack([np.take_along_axis(corners, ((first + i) % 3)[:, None, None], 1)[:, 0] for i in range(3)], 1)
    flat = turned.reshape(len(faces), 9)
    return flat[np.lexsort(np.round(flat, 9).T)]


def test_no_two_vertices_coincide_in_a_file():
    """A surface through grid points: its triangles there shrink to nothing, and a reader would merge their corners."""

    def logits(p):
        return 1e-7 * (p[..., 0] + p[..., 1] + p[..., 2]) + 50 * (0.5 - abs(p).amax(-1)).clamp(max=0)

    mesh = extract(logits, 32).mesh
    assert trimesh.Trimesh(np.asarray(mesh.vertices, dtype=np.float32), mesh.faces).is_watertight


@pytest.mark.parametrize("level", [0.5, 0.3])
def test_equals_dense_evaluation_at_128(level):
    found = extract(ball_and_thin_parts, 128, level)
    assert found.mesh.is_watertight and found.mesh.body_count == 2 and found.mesh.volume > 0
    np.testing.assert_allclose(
        triangles(np.asarray(found.mesh.vertices), found.mesh.faces),
        triangles(*dense(ball_and_thin_parts, 128, level)),
        atol=1e-9,
    )
    assert found.evaluations < 0.35 * 129**3  # 65^3 are 13 % of them already


@pytest.mark.slow
def test_a_network_is_meshed_as_densely_evaluated():
    network = build_network(OccupancyConfig(width=32, rank=2, bandwidth=6.0))
    network = network.double()  # no rounding may depend on the chunk
    with torch.no_grad():
        network.head.bias -= network(torch.rand(1000, 3).double() * 2 - 1).quantile(0.8)

    def logits(p):
        return network(p.double())[..., 0].float()

    found = extract(logits, 130)  # no multiple of the coarse cells
    np.testing.assert_allclose(
        triangles(np.asarray(found.mesh.vertices), found.mesh.faces), triangles(*dense(logits, 130)), atol=1e-6
    )
    assert found.mesh.is_watertight  # closed at the walls of the cube too


def test_the_mesh_lies_where_the_shape_lay():
    found = extract(lambda p: 20 * (0.5 - p.norm(dim=-1)), 64, placement=Placement((10.0, 20.0, 30.0), 4.0))
    np.testing.assert_allclose(found.mesh.bounds, [[8, 18, 28], [12, 22, 32]], atol=0.01)
