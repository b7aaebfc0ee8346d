"""The ray tracer of snapshots."""

import numpy as np
import trimesh
from support.commands import open3d_or_skip

from sinenerf.common.mesh_renderer import Framing, MeshRenderer, vertex_normals


def test_up_and_right_in_space_are_up_and_right_in_the_picture():
    open3d_or_skip()
    box = trimesh.creation.box([0.2, 0.2, 0.2]).apply_translation([0.7, 0.7, 0])  # right and up, seen from the front
    renderer = MeshRenderer(np.asarray(box.vertices), np.asarray(box.faces), flat=True)
    rows, columns = np.nonzero((renderer.render(Framing(60, 60, 0, 0), 0.0) < 250).any(2))
    assert rows.mean() < 25 and columns.mean() > 35


def test_normals_of_a_ball_point_outward():
    ball = trimesh.creation.icosphere(3)
    normals = vertex_normals(np.asarray(ball.vertices), np.asarray(ball.faces))
    assert (normals * ball.vertices).sum(1).min() > 0.99
