"""Draco files. Compressed glTF is tested with `sinenerf.common.glb`."""

import trimesh

from sinenerf.common.mesh_compression import draco, undraco


def test_draco_keeps_the_shape():
    ball = trimesh.creation.icosphere(subdivisions=4)
    small, fine = draco(trimesh.creation.icosphere(subdivisions=2), 8), draco(ball, 12)
    assert len(small) < len(fine) < 9000
    assert abs(undraco(fine).volume / ball.volume - 1) < 0.01
