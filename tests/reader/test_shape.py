"""Shapes of the numpy reader: the same occupancies as the independent reader of the tests, and as torch."""

import numpy as np
import pytest
import sine_reader
import torch
from support import independent_reader
from support.golden_files import golden, name_of
from support.independent_renderer import occupancy

import sinenerf


@pytest.mark.parametrize("path", golden(), ids=name_of)
def test_logits_are_those_of_other_readers(path):
    shape = sine_reader.load(path)
    cube = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    logits = shape.logits(cube * shape.scale + shape.centre)
    np.testing.assert_allclose(logits, occupancy(*independent_reader.read(path.read_bytes()), cube), atol=1e-4)
    with torch.no_grad():
        ours = sinenerf.load(path).logits(torch.from_numpy(cube).float())
    np.testing.assert_allclose(logits, ours.numpy().reshape(-1), atol=1e-3)


def test_points_beyond_the_cube_are_outside():
    shape = sine_reader.load(golden()[0])
    corners = shape.bounds
    np.testing.assert_allclose(corners[1] - corners[0], 2 * shape.scale)
    beyond = np.stack([corners[0] - 0.1, corners[1] + 0.1])[:, None]
    assert (shape.occupancy(beyond) == 0).all() and shape.occupancy(beyond).shape == (2, 1)


def test_many_points_are_evaluated_in_parts(monkeypatch):
    shape = sine_reader.load(golden()[0])
    points = np.random.default_rng(0).uniform(*shape.bounds, (100, 3))
    whole = shape.logits(points)
    monkeypatch.setattr("sine_reader.shape.CHUNK", 7 * shape.layers[0].outputs)
    np.testing.assert_allclose(shape.logits(points), whole, atol=1e-5)


def test_the_number_of_pieces_is_read():
    assert {name_of(path): sine_reader.load(path).pieces for path in golden()} == {
        name_of(path): int(name_of(path) == "pieces") for path in golden()
    }
