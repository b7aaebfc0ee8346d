"""Files of meshoptimizer's codecs: what is decoded from them."""

import numpy as np
import pytest
import trimesh

from sinenerf.rd.programs.meshopt import meshopt, unmeshopt


@pytest.fixture(scope="module")
def ball():
    ball = trimesh.creation.icosphere(3)
    ball.apply_transform(trimesh.transformations.translation_matrix((10, -20, 30)))
    return ball


@pytest.mark.parametrize("bits", [6, 11, 16])
def test_a_vertex_is_at_most_half_a_step_off(ball, bits):
    step = 2 / (2**bits - 1)
    decoded = unmeshopt(meshopt(ball, bits))
    assert len(decoded.faces) == len(ball.faces) and decoded.is_watertight
    distance, _ = trimesh.proximity.ProximityQuery(ball).vertex(decoded.vertices)
    assert distance.max() <= np.sqrt(3) * step / 2 + 1e-5  # float32, 30 units from the origin
    assert decoded.volume == pytest.approx(ball.volume, abs=4 * np.pi * step)  # and not turned inside out


def test_more_faces_or_bits_take_more_bytes(ball):
    small, fine, large = meshopt(trimesh.creation.icosphere(2), 8), meshopt(ball, 12), meshopt(ball, 8)
    assert len(small) < len(large) < len(fine)


def test_faces_that_rounding_makes_flat_are_left_out(ball):
    coarse = unmeshopt(meshopt(ball, 2))
    assert len(np.unique(coarse.vertices, axis=0)) == len(coarse.vertices) < 64
    assert 0 < len(coarse.faces) < len(ball.faces)
    assert (np.sort(coarse.faces, axis=1)[:, 1:] > np.sort(coarse.faces, axis=1)[:, :-1]).all()
