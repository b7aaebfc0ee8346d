"""How good a field is, by the definitions that the literature uses.

IoU                  volume of the intersection over that of the union, over points (Mescheder et al. 2019,
                     Occupancy Networks, section 4)
Chamfer-L1           mean of accuracy and completeness, the mean distances (not squared) from each surface to the
                     other (there, supplementary); here as a fraction of the true bounding box's diagonal
normal consistency   mean |cosine| between a point's normal and that of the nearest point of the other surface,
                     both ways (there)
F-score              harmonic mean of precision and recall at a distance (Knapitsch et al. 2017, Tanks and Temples;
                     Tatarchenko et al. 2019), here 0.5 % and 1 % of the diagonal
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float

from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.solid import HALF_EXTENT, Placement, Points, Solid
from sinenerf.occupancy.surface_grid import LevelError

if TYPE_CHECKING:
    import trimesh

NEAR = 0.02
"""Standard deviation an axis, in cube units, of points "near the surface"."""
SURFACE_POINTS = 100_000
"""Points on each surface."""


def iou(predicted: Bool[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> float:
    """Intersection over union of two sets of points; 1 where both are empty."""
    union = np.count_nonzero(predicted | truth)
    return np.count_nonzero(predicted & truth) / union if union else 1.0


@torch.no_grad()
def occupied(field: OccupancyField, cube: Points) -> Bool[np.ndarray, " n"]:
    """Whether the occupancy at points of the cube is above 1/2."""
    return (field.logits(torch.from_numpy(cube).float()) > 0).cpu().numpy()


@dataclass(frozen=True)
class SurfaceDistance:
    """How far two surfaces are from each other."""

    chamfer_l1: float
    """Of the diagonal."""
    normal_consistency: float
    f_score_half_percent: float
    f_score_one_percent: float


def surface_distance(
    mesh: "trimesh.Trimesh", truth: "trimesh.Trimesh", points: int = SURFACE_POINTS, seed: int = 0
) -> SurfaceDistance:
    """Compare two surfaces by points spread over each, uniform by area, and what of the other lies nearest to them: not
    the nearest of its points alone, which would be half their spacing away where both surfaces are the same."""
    accuracy, normals = _to_surface(mesh, truth, points, seed)
    completeness, normals_back = _to_surface(truth, mesh, points, seed)
    diagonal = float(np.linalg.norm(truth.extents))

    def f_score(share: float) -> float:
        precision, recall = (float((d <= share * diagonal).mean()) for d in (accuracy, completeness))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    chamfer = float(accuracy.mean() + completeness.mean()) / 2 / diagonal
    consistency = float(normals.mean() + normals_back.mean()) / 2
    return SurfaceDistance(chamfer, consistency, f_score(0.005), f_score(0.01))


def _to_surface(
    source: "trimesh.Trimesh", target: "trimesh.Trimesh", points: int, seed: int
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """(distance to a surface, |cosine| between the normals here and there) of points of another."""
    import igl
    import trimesh

    samples, faces = trimesh.sample.sample_surface(source, points, seed=seed)
    vertices, triangles = np.asarray(target.vertices), np.asarray(target.faces)
    squared, nearest, _ = igl.point_mesh_squared_distance(np.asarray(samples), vertices, triangles)
    cosines = (source.face_normals[faces] * target.face_normals[nearest]).sum(1)
    return np.sqrt(squared), abs(cosines)


@dataclass(frozen=True)
class Evaluation:
    """What `sinenerf eval` prints."""

    iou: float
    """On uniform points of the cube [-1, 1]^3, in which the longest half-extent of the shape is 0.95."""
    iou_near: float
    """On points of the true surface, moved by a normal step of 0.02 cube units an axis."""
    chamfer_l1: float | None
    """Fraction of the diagonal; None where the field has no surface, here and below."""
    normal_consistency: float | None
    f_score_half_percent: float | None
    f_score_one_percent: float | None
    bytes: int
    """Of the file."""
    parameters: int | None
    """Trainable numbers; None for a mesh."""


class Truth:
    """A mesh with labelled points, drawn once: what any number of fields or meshes are compared with.

    Args:
        mesh: prepared (`mesh_input.prepare_mesh`).
        placement: of the cube in which the points lie.
        points: uniform points of the cube for the IoU; a fifth as many near the surface.
    """

    def __init__(self, mesh: "trimesh.Trimesh", placement: Placement, points: int = 1_000_000, seed: int = 0) -> None:
        if points < 5:
            raise ValueError(f"points is {points}: at least 5 are needed, a fifth of them near the surface")
        self.mesh, self.placement, self.seed = mesh, placement, seed
        self.solid = Solid(mesh, placement)
        random = np.random.default_rng(seed)
        uniform = random.uniform(-1, 1, (points, 3))
        near = np.clip(self.solid.near_surface(points // 5, NEAR, random), -1, 1)
        self.samples = [(p, self.solid.contains(p)) for p in (uniform, near)]

    def of_field(self, field: OccupancyField, surface: "trimesh.Trimesh | None", size: int) -> Evaluation:
        """Evaluate a field of this placement and its surface (`surface_of`), whose file has `size` bytes."""
        return self.compare(lambda points: occupied(field, points), surface, size, field.parameters_count)

    def of_mesh(self, mesh: "trimesh.Trimesh", size: int) -> Evaluation:
        """Evaluate another mesh, whose file has `size` bytes."""
        return self.compare(Solid(mesh, self.placement).contains, mesh, size, None)

    def compare(
        self,
        occupied: Callable[[Points], Bool[np.ndarray, " n"]],
        surface: "trimesh.Trimesh | None",
        size: int,
        parameters: int | None,
    ) -> Evaluation:
        """Evaluate what is occupied at points of the cube, and a surface, if there is one, where the truth lies."""
        volume, close = (iou(occupied(points), inside) for points, inside in self.samples)
        if surface is None:
            return Evaluation(volume, close, None, None, None, None, size, parameters)
        distance = surface_distance(surface, self.mesh, seed=self.seed)
        return Evaluation(
            volume,
            close,
            distance.chamfer_l1,
            distance.normal_consistency,
            distance.f_score_half_percent,
            distance.f_score_one_percent,
            size,
            parameters,
        )


def surface_of(field: OccupancyField, resolution: int = 256) -> "trimesh.Trimesh | None":
    """The surface that is compared with the truth's; None where the field has none, or is noise."""
    try:
        return field.mesh(resolution)
    except LevelError:
        return None


def evaluate(
    field: OccupancyField,
    mesh: "trimesh.Trimesh",
    size: int,
    points: int = 1_000_000,
    resolution: int = 256,
    seed: int = 0,
) -> Evaluation:
    """Compare a field with the mesh that it stands for, which must be prepared (`mesh_input.prepare_mesh`).

    Args:
        size: of the field's file, in bytes.
        points: uniform points of the cube for the IoU; a fifth as many near the surface.
        resolution: of the marching cubes for the surface metrics.
    """
    return Truth(mesh, field.placement, points, seed).of_field(field, surface_of(field, resolution), size)


def check_placement(mesh: "trimesh.Trimesh", placement: Placement, path: Path) -> None:
    """Raise ValueError unless a mesh lies in a field's cube and fills at least half of what its own mesh filled.

    Args:
        path: of the mesh, for the message.
    """
    cube = placement.to_cube(mesh.bounds)
    if abs(cube).max() > 1 or (cube[1] - cube[0]).max() < HALF_EXTENT:
        raise ValueError(
            f"{path}: reaches from {cube.min():.4g} to {cube.max():.4g} in the field's cube, which its own mesh filled "
            f"from {-HALF_EXTENT} to {HALF_EXTENT}. Give that mesh, in the same place and unit"
        )
