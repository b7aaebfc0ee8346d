"""The ray tracer of snapshots."""

import numpy as np
import pytest
import trimesh
from support.commands import open3d_or_skip

from sinenerf.common.mesh_renderer import DISTANCE, Framing, MeshRenderer, vertex_normals


def test_up_and_right_in_space_are_up_and_right_in_the_picture():
    open3d_or_skip()
    box = trimesh.creation.box([0.2, 0.2, 0.2]).apply_translation([0.7, 0.7, 0])  # right and up, seen from the front
    renderer = MeshRenderer(np.asarray(box.vertices), np.asarray(box.faces), flat=True)
    rows, columns = np.nonzero((renderer.render(Framing(60, 60, 0, 0), 0.0) < 250).any(2))
    assert rows.mean() < 25 and columns.mean() > 35


@pytest.mark.parametrize("sides", [(0.5, 2, 0.5), (2, 2, 2), (2, 0.1, 2)], ids=["tall", "cube", "flat"])
@pytest.mark.parametrize("framing", [Framing(60, 50), Framing(40, 80, tilt=-70), Framing(80, 40, tilt=40)], ids=str)
def test_the_whole_shape_is_in_the_picture_however_it_is_turned(sides, framing):
    open3d_or_skip()
    box = trimesh.creation.box(sides)
    vertices = np.asarray(box.vertices)
    renderer = MeshRenderer(vertices, np.asarray(box.faces), flat=True)
    seen = np.zeros((framing.height, framing.width), bool)
    for turn in np.linspace(0, np.pi / 2, 7):
        seen |= (renderer.render(framing, turn, framing.distance(vertices)) < 250).any(2)
    rows, columns = np.nonzero(seen)
    margins = rows.min(), columns.min(), framing.height - 1 - rows.max(), framing.width - 1 - columns.max()
    assert min(margins) >= 1
    if framing.distance(vertices) > DISTANCE:
        assert min(margins) <= 4


def test_normals_of_a_ball_point_outward():
    ball = trimesh.creation.icosphere(3)
    normals = vertex_normals(np.asarray(ball.vertices), np.asarray(ball.faces))
    assert (normals * ball.vertices).sum(1).min() > 0.99
