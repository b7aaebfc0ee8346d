"""Quality of an occupancy field, by the definitions in the literature.

IoU                  volume of the intersection over volume of the union, estimated on sampled points (Mescheder et
                     al. 2019, Occupancy Networks, section 4)
Chamfer-L1           mean of accuracy and completeness, the mean distances (not squared) from each surface to the
                     other (same paper, supplementary); here as a fraction of the true bounding box's diagonal
normal consistency   mean |cosine| between the normal at a point and the normal at the nearest point of the other
                     surface, averaged over both directions (same paper)
F-score              harmonic mean of precision and recall at a distance threshold (Knapitsch et al. 2017, Tanks and
                     Temples; Tatarchenko et al. 2019), here 0.5 % and 1 % of the diagonal
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float

from sinenerf.common.mesh_files import at_unit_size
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.shell import Shell
from sinenerf.occupancy.solid import HALF_EXTENT, Placement, Points, Solid
from sinenerf.occupancy.surface_grid import LevelError

if TYPE_CHECKING:
    import trimesh

POINTS, RESOLUTION = 1_000_000, 256
"""Uniform points of the cube for the IoU, and cells per side of the surface for the other measures."""
NEAR = 0.02
"""Standard deviation per axis, in cube units, of the offset of points near the surface."""
SURFACE_POINTS = 100_000
"""Points sampled on each surface."""


def iou(predicted: Bool[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> float:
    """Intersection over union of two sets of points, given as masks; 0 if both are empty, which shows nothing."""
    union = int(np.count_nonzero(predicted | truth))
    # numpy 2.4 counts in its own integers, and a checkpoint holds plain numbers
    return float(np.count_nonzero(predicted & truth) / max(1, union))


@torch.no_grad()
def occupied(field: OccupancyField, cube: Points) -> Bool[np.ndarray, " n"]:
    """Whether the occupancy exceeds 1/2 at points of the cube [-1, 1]^3."""
    return (field.logits(torch.from_numpy(cube).float()) > 0).cpu().numpy()


@dataclass(frozen=True)
class SurfaceDistance:
    """Distance between two surfaces, by the measures at the top of this module."""

    chamfer_l1: float
    """Fraction of the diagonal."""
    normal_consistency: float
    f_score_half_percent: float
    f_score_one_percent: float


def surface_distance(
    mesh: "trimesh.Trimesh", truth: "trimesh.Trimesh", points: int = SURFACE_POINTS, seed: int = 0
) -> SurfaceDistance:
    """Compare two surfaces by points sampled on each, uniformly by area.

    Each point is compared with the nearest point of the other surface, not with the nearest of that surface's samples,
    which would lie about half their spacing away even if the surfaces were identical.
    """
    own, true = (np.asarray(at_unit_size(surface).face_normals) for surface in (mesh, truth))
    accuracy, cosines = _distances_to_surface(mesh, truth, own, true, points, seed)
    completeness, cosines_back = _distances_to_surface(truth, mesh, true, own, points, seed)
    diagonal = float(np.linalg.norm(truth.extents))

    def f_score(fraction: float) -> float:
        precision, recall = (float((d <= fraction * diagonal).mean()) for d in (accuracy, completeness))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    chamfer = float(accuracy.mean() + completeness.mean()) / 2 / diagonal
    consistency = float(cosines.mean() + cosines_back.mean()) / 2
    return SurfaceDistance(chamfer, consistency, f_score(0.005), f_score(0.01))


def _distances_to_surface(
    source: "trimesh.Trimesh",
    target: "trimesh.Trimesh",
    source_normals: Float[np.ndarray, "f 3"],
    target_normals: Float[np.ndarray, "g 3"],
    points: int,
    seed: int,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Distances from points sampled on `source` to `target`, and the |cosine| between the normals at both ends."""
    import igl
    import trimesh

    samples, faces = trimesh.sample.sample_surface(source, points, seed=seed)
    vertices, triangles = np.asarray(target.vertices), np.asarray(target.faces)
    squared, nearest, _ = igl.point_mesh_squared_distance(np.asarray(samples), vertices, triangles)
    return np.sqrt(squared), abs((source_normals[faces] * target_normals[nearest]).sum(1))


@dataclass(frozen=True)
class Evaluation:
    """Quality of a shape, and size of its file."""

    iou: float
    """On uniform points of the cube [-1, 1]^3, in which half of the shape's longest side is 0.95; 0 if the shape is so
    thin that none of them is inside."""
    iou_near: float
    """On points of the true surface with Gaussian offsets of 0.02 cube units per axis."""
    chamfer_l1: float | None
    """Fraction of the diagonal. This and the next three are None if the field has no surface, or is a shell's."""
    normal_consistency: float | None
    f_score_half_percent: float | None
    f_score_one_percent: float | None
    bytes: int
    """Size of the file."""
    parameters: int | None
    """Trainable parameters; None for a mesh."""


class Truth:
    """The true mesh with labelled points, which are drawn once for the evaluation of any number of fields and meshes.

    Args:
        mesh: a prepared mesh (`mesh_input.prepare_mesh`).
        placement: placement of the cube in which the points lie.
        points: number of uniform points of the cube for the IoU; a fifth as many lie near the surface.
        thickness: if given, of the shell around the mesh that is the truth, in the mesh's unit.

    Raises:
        ValueError: fewer than five points.
    """

    def __init__(
        self,
        mesh: "trimesh.Trimesh",
        placement: Placement,
        points: int = POINTS,
        seed: int = 0,
        thickness: float | None = None,
    ) -> None:
        if points < 5:
            raise ValueError(f"points is {points}: at least 5 are needed, a fifth of them near the surface")
        self.mesh, self.placement, self.seed = mesh, placement, seed
        self.solid = Solid(mesh, placement) if thickness is None else Shell(mesh, placement, thickness)
        random = np.random.default_rng(seed)
        uniform = random.uniform(-1, 1, (points, 3))
        near = np.clip(self.solid.near_surface(points // 5, NEAR, random), -1, 1)
        self.samples = [(p, self.solid.contains(p)) for p in (uniform, near)]

    def evaluate_field(self, field: OccupancyField, size: int, surface: "trimesh.Trimesh | None") -> Evaluation:
        """Evaluate a field of this placement, whose file has `size` bytes, and its surface (`surface_of`)."""
        return self._evaluate(lambda points: occupied(field, points), size, surface, field.parameters_count)

    def evaluate_mesh(self, mesh: "trimesh.Trimesh", size: int) -> Evaluation:
        """Evaluate another mesh, whose file has `size` bytes."""
        return self._evaluate(Solid(mesh, self.placement).contains, size, mesh, None)

    def _evaluate(
        self,
        contains: Callable[[Points], Bool[np.ndarray, " n"]],
        size: int,
        surface: "trimesh.Trimesh | None",
        parameters: int | None,
    ) -> Evaluation:
        """Evaluate a classification of points of the cube, and a surface in the truth's coordinates if it is given."""
        uniform, near = (iou(contains(points), inside) for points, inside in self.samples)
        if surface is None:
            return Evaluation(uniform, near, None, None, None, None, size, parameters)
        distance = surface_distance(surface, self.mesh, seed=self.seed)
        return Evaluation(
            uniform,
            near,
            distance.chamfer_l1,
            distance.normal_consistency,
            distance.f_score_half_percent,
            distance.f_score_one_percent,
            size,
            parameters,
        )


def surface_of(field: OccupancyField, resolution: int = RESOLUTION) -> "trimesh.Trimesh | None":
    """The field's surface for the surface measures; None if the field has none, or is noise."""
    try:
        return field.mesh(resolution)
    except LevelError:
        return None


def evaluate(
    field: OccupancyField,
    size: int,
    truth: "trimesh.Trimesh",
    points: int = POINTS,
    resolution: int = RESOLUTION,
    seed: int = 0,
    thickness: float | None = None,
) -> Evaluation:
    """Compare a field with the mesh that it was fitted to.

    Args:
        size: size of the field's file in bytes.
        truth: the mesh, prepared by `mesh_input.prepare_mesh`.
        points: number of uniform points of the cube for the IoU; a fifth as many lie near the surface.
        resolution: cells per side of the marching cubes for the surface measures.
        seed: seed of the sampled points.
        thickness: of the shell around the mesh that the field was fitted to, in the mesh's unit. The surfaces are then
            not compared, since the mesh is not the shell's.

    Raises:
        ValueError: fewer than five points.
    """
    compared = Truth(truth, field.placement, points, seed, thickness)  # first, since it may refuse its arguments
    surface = surface_of(field, resolution) if thickness is None else None
    return compared.evaluate_field(field, size, surface)


def check_placement(mesh: "trimesh.Trimesh", placement: Placement, path: Path) -> None:
    """Raise ValueError unless a mesh lies in a field's cube and is at least half as large as the fitted mesh.

    Args:
        path: path of the mesh, for the message.
    """
    cube = placement.to_cube(mesh.bounds)
    if abs(cube).max() > 1 or (cube[1] - cube[0]).max() < HALF_EXTENT:
        raise ValueError(
            f"{path}: extends from {cube.min():.4g} to {cube.max():.4g} in the field's cube, where the fitted mesh "
            f"extends from {-HALF_EXTENT} to {HALF_EXTENT}. Give that mesh, in the same place and unit"
        )
