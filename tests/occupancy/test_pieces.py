"""The connected pieces of a surface, and which of them are the shape."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from sinenerf.occupancy.pieces import best_count, largest_pieces, pieces_of
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.surface import extract_surface

PLACEMENT = Placement((0.0, 0.0, 0.0), 1.0)
BALLS = [((-0.5, 0.0, 0.0), 0.3), ((0.5, 0.1, 0.0), 0.2)]
BALL, GHOST = ((-0.5, 0.0, 0.0), 0.3), ((0.7, 0.0, 0.0), 0.12)
SWOLLEN, NEAR = ((-0.5, 0.0, 0.0), 0.35), ((-0.5, 0.42, 0.0), 0.03)
AROUND = [((x, y, 0.0), 0.06) for x, y in [(-0.9, 0), (-0.1, 0), (-0.5, 0.4), (-0.5, -0.4)]]
NINE = [((x, y, 0.0), 0.2) for x in (-0.5, 0.0, 0.5) for y in (-0.5, 0.0, 0.5)]
SPECKS = [((0.8, 0.8, 0.8), 0.05), ((-0.8, 0.7, -0.8), 0.06), ((0.0, -0.9, 0.0), 0.05)]


def balls(*parts):
    """Logits of a union of balls."""

    def logits(points):
        points = torch.as_tensor(points)
        return torch.stack([50 * (r - (points - torch.tensor(c)).norm(dim=-1)) for c, r in parts]).amax(0)

    return logits


def surface(*parts):
    found = extract_surface(balls(*parts), PLACEMENT, 64)
    return found.vertices, found.faces


def solid(*parts):
    meshes = [trimesh.creation.icosphere(3, radius).apply_translation(centre) for centre, radius in parts]
    return Solid(trimesh.util.concatenate(meshes), PLACEMENT)


def test_pieces_are_numbered_by_their_faces():
    vertices, faces = surface(SPECKS[0], *BALLS)
    piece, count = pieces_of(faces, len(vertices))
    sizes = np.bincount(piece)
    assert count == 3 and sizes[0] > sizes[1] > sizes[2]
    for i, (centre, radius) in enumerate([*BALLS, SPECKS[0]]):
        distances = np.linalg.norm(vertices[faces[piece == i]] - centre, axis=2)
        np.testing.assert_allclose(distances, radius, atol=0.02)


def test_the_largest_pieces_keep_their_faces_and_no_other_vertices():
    vertices, faces = surface(SPECKS[0], *BALLS)
    alone, kept = largest_pieces(vertices, faces, 2)
    assert set(map(tuple, alone)) == set(map(tuple, vertices[np.linalg.norm(vertices - SPECKS[0][0], axis=1) > 0.1]))
    assert len(np.unique(kept)) == len(alone) and trimesh.Trimesh(alone, kept, process=False).is_watertight


@pytest.mark.parametrize("cells", [32, 64, 128])
def test_what_coarse_cells_tear_off_is_no_speck(cells):
    """Two balls joined by a rod that the cells miss, of which the file says that they are one piece."""

    def logits(points):
        points = torch.as_tensor(points)
        rod = 0.015 - torch.maximum(torch.hypot(points[:, 1] - 0.02, points[:, 2] - 0.01), abs(points[:, 0]) - 0.5)
        return torch.maximum(balls(*BALLS, SPECKS[0])(points), 50 * rod)

    found = extract_surface(logits, replace(PLACEMENT, pieces=1), cells)
    sides = found.vertices[:, 0] < -0.25, found.vertices[:, 0] > 0.35
    assert all(side.any() for side in sides) and found.vertices[:, 2].max() < 0.5


def test_the_largest_component_is_alone():
    extracted = extract_surface(balls(*BALLS), PLACEMENT, 64, largest_component=True)
    assert extracted.mesh.vertices[:, 0].max() < 0 and extracted.mesh.is_watertight


@pytest.mark.parametrize(
    ("true", "seen", "count"),
    [
        (BALLS[:1], BALLS[:1], 1),  # finer cells may show specks
        (BALLS, BALLS[:1], 0),
        (BALLS[:1], BALLS[:1] + SPECKS, 1),
        (BALLS, BALLS + SPECKS, 2),
        (BALLS, BALLS, 0),
        (BALLS + SPECKS[:1], BALLS + SPECKS[:1], 0),  # the smallest belongs to the shape
        ([BALL, *AROUND], [BALL, GHOST, *AROUND], 0),  # the ghost is too large to be left out, even alone
        (NINE, NINE + SPECKS[::2], 7),  # of nine balls, none of which is left out
        ([BALL], [SWOLLEN, NEAR], 1),  # a speck that is hardly farther than the rest: finer cells may show more
    ],
)
def test_what_is_not_of_the_shape_is_left_out(true, seen, count):
    assert best_count(*surface(*seen), solid(*true)) == count


def test_a_part_whose_connection_is_lost_is_not_left_out():
    ball, tip = BALL, ((0.3, 0.0, 0.0), 0.08)
    whole = Solid(solid(ball, tip).mesh.convex_hull, PLACEMENT)
    assert best_count(*surface(ball, tip), whole) == 2


def test_a_surface_that_is_asked_for_has_that_many_pieces():
    found = extract_surface(balls(*BALLS, *SPECKS), replace(PLACEMENT, pieces=2), 64)
    assert pieces_of(found.faces, len(found.vertices))[1] == 2
