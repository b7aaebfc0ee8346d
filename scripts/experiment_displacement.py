"""Does a coarse mesh with displacements need fewer bytes than decimation + Draco at the same quality?

    python scripts/experiment_displacement.py dragon.ply

A mesh is decimated and coded by Draco. The decoded mesh is subdivided (Loop's scheme, or edge midpoints), and each
vertex moves along its normal until it lies on the original surface. The distances are multiples of a step. Their bytes
are the entropy of these integers, for each level of the subdivision and with the mean size of the neighbours' integers
as context, without the few hundred bytes that an adaptive coder needs to learn their frequencies.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import trimesh
import tyro

from sinenerf.common.decimation import decimated
from sinenerf.common.mesh_compression import draco, undraco
from sinenerf.occupancy.evaluate import Truth
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.solid import Placement, Solid

PROJECTIONS = 6
"""Steps from a vertex along its normal to the tangent plane at the nearest point of the surface."""
CONTEXTS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Bounds between the contexts: mean absolute integer of the neighbours that are coded before."""


@dataclass
class Options:
    mesh: Annotated[Path, tyro.conf.Positional]
    """Mesh to compress."""
    faces: tuple[int, ...] = (4000, 8000, 16000, 24000)
    """Faces of the coarse mesh."""
    bits: int = 10
    """Draco's bits of a coordinate of the coarse mesh."""
    levels: tuple[int, ...] = (1, 2)
    """Subdivisions."""
    steps: tuple[float, ...] = (1.0, 2.0)
    """Steps of the displacements, in thousandths of half the cube's side."""
    scheme: Literal["loop", "midpoint"] = "loop"
    """Where the vertices lie before they are displaced."""
    points: int = 400_000
    """Points for the IoU; a fifth as many lie near the surface."""


def subdivided(mesh: trimesh.Trimesh, scheme: str) -> trimesh.Trimesh:
    """The mesh with four faces for each, old vertices first."""
    if scheme == "loop":
        return trimesh.Trimesh(*trimesh.remesh.subdivide_loop(mesh.vertices, mesh.faces, 1), process=False)
    return trimesh.Trimesh(*trimesh.remesh.subdivide(mesh.vertices, mesh.faces), process=False)


def distances(mesh: trimesh.Trimesh, solid: Solid, reach: float) -> np.ndarray:
    """How far each vertex is from the surface along its normal, at most `reach`; 0 where the normals disagree."""
    normals, reached = mesh.vertex_normals, np.zeros(len(mesh.vertices))
    for _ in range(PROJECTIONS):
        here = mesh.vertices + reached[:, None] * normals
        reached += ((solid.nearest(here) - here) * normals).sum(1)
    here = mesh.vertices + reached[:, None] * normals
    missed = np.linalg.norm(solid.nearest(here) - here, axis=1) > 0.5 * reach
    return np.where(missed | (abs(reached) > reach), 0.0, reached)


def entropy(values: np.ndarray) -> float:
    """Bits of all values, each coded by its frequency among them."""
    counts = np.unique(values, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def coded_bits(integers: np.ndarray, mesh: trimesh.Trimesh) -> float:
    """Bits of the vertices' integers in order, by the mean size of the neighbours that come before."""
    edges = mesh.edges_unique
    late, early = edges.max(1), edges.min(1)
    count = np.bincount(late, minlength=len(integers))
    mean = np.bincount(late, abs(integers[early]), len(integers)) / np.maximum(count, 1)
    context = np.where(count == 0, -1, np.searchsorted(CONTEXTS, mean))
    return sum(entropy(integers[context == c]) for c in np.unique(context))


def main(options: Options) -> None:
    mesh = read_mesh(options.mesh)[0]
    placement = Placement.of(mesh)
    truth = Truth(mesh, placement, options.points)
    for faces in options.faces:
        data = draco(decimated(mesh, faces), options.bits)
        coarse = undraco(data)
        coarse.vertices = placement.to_cube(coarse.vertices)
        coarse.merge_vertices()  # of vertices in one place after rounding, whose faces between them vanish
        coarse.update_faces(coarse.nondegenerate_faces() & coarse.unique_faces())
        for step in options.steps:
            fine, bits = coarse, 0.0
            for level in range(1, max(options.levels) + 1):
                fine = subdivided(fine, options.scheme)
                reach = 2 * float(fine.edges_unique_length.mean())
                integers = np.rint(distances(fine, truth.solid, reach) / (1e-3 * step)).astype(int)
                bits += coded_bits(integers, fine)
                fine.vertices = fine.vertices + (1e-3 * step * integers)[:, None] * fine.vertex_normals
                if level in options.levels:
                    shown = trimesh.Trimesh(placement.from_cube(fine.vertices), fine.faces, process=False)
                    score = truth.evaluate_mesh(shown, len(data) + round(bits / 8))
                    print(
                        f"{faces:,} faces  level {level}  step {step}  {len(data):,} + {bits / 8:,.0f} = "
                        f"{score.bytes:,} bytes  IoU {score.iou:.5f}  near {score.iou_near:.5f}  "
                        f"Chamfer {100 * (score.chamfer_l1 or 0):.5f} %  normals {score.normal_consistency or 0:.4f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main(tyro.cli(Options))
