import trimesh

from sinenerf.common.mesh_files import draco, undraco


def test_draco_keeps_the_shape():
    ball = trimesh.creation.icosphere(subdivisions=4)
    small, fine = draco(ball, 200, 8), draco(ball, 2000, 12)
    assert len(small) < len(fine) < 6000
    assert abs(undraco(fine).volume / ball.volume - 1) < 0.01
