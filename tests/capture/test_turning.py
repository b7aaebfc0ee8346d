"""A camera that only turns is told from one that moves, by matches alone, whatever its lens."""

from itertools import pairwise

import numpy as np
import pytest

from sinenerf.capture.turning import turned_share

FOCAL, DISTORTION = 0.75, -0.09
RANDOM = np.random.default_rng(0)


def seen(points, angle, place):
    """Points of space in a camera turned about y by an angle in degrees, and those that are in front of it."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y, z = ((points - place) @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]).T).T
    flat = np.column_stack([x / z, y / z])
    radius = (flat**2).sum(1, keepdims=True)
    picture = FOCAL * flat * (1 + DISTORTION * radius) + RANDOM.normal(0, 0.0005, flat.shape)
    return picture, (z > 0.1) & (np.abs(flat) < (0.7, 0.5)).all(1)


def matches(points, step, shift):
    """Between neighbours of seven cameras, each turned by `step` degrees and moved by `shift` from the one before."""
    views = [seen(points, step * i, np.array(shift) * i) for i in range(7)]
    for (first, there), (second, here) in pairwise(views):
        yield first[there & here], second[there & here]


def room():
    points = RANDOM.normal(size=(4000, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True) * RANDOM.uniform(2, 6, (4000, 1))


def wall():
    return np.column_stack([RANDOM.uniform(-8, 8, 4000), RANDOM.uniform(-2, 2, 4000), np.full(4000, 4.0)])


@pytest.mark.parametrize(
    ("points", "step", "shift", "share"),
    [
        (room(), 20, (0, 0, 0), 1),
        (room(), 10, (0.005, 0, 0), 1),
        (room(), 10, (0.3, 0, 0), 0),
        (wall(), 0, (1.2, 0, 0), 0),
        (room(), 1, (0, 0, 0), 0),  # it moves too little in the picture to tell
    ],
)
def test_turned_share(points, step, shift, share):
    assert turned_share(list(matches(points, step, shift))) == share


def test_without_matches_nothing_is_said():
    assert turned_share([]) == turned_share([(np.zeros((3, 2)), np.ones((3, 2)))]) == 0
