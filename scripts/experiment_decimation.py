"""Which decimation makes the best rival, at equal faces?

    python scripts/experiment_decimation.py dragon.ply armadillo.ply

Each library decimates each mesh to the same numbers of faces. The IoU (200,000 points) and the Chamfer-L1 distance are
those of the decimated mesh, before its positions are rounded; the bytes are those of its Draco file of 11 bits a
coordinate. Needs pymeshlab besides sinenerf.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh
import tyro

from sinenerf.common.decimation import decimated
from sinenerf.common.mesh_compression import draco
from sinenerf.rd.programs.decimated_mesh import decimated_by_quadrics
from sinenerf.rd.programs.shapes import load_truth

Decimation = Callable[[trimesh.Trimesh, int], trimesh.Trimesh]


def with_open3d(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    import open3d

    vectors = open3d.utility.Vector3dVector(mesh.vertices), open3d.utility.Vector3iVector(mesh.faces)
    fewer = open3d.geometry.TriangleMesh(*vectors).simplify_quadric_decimation(faces)
    return trimesh.Trimesh(np.asarray(fewer.vertices), np.asarray(fewer.triangles), process=False)


def with_pymeshlab(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """With the strictest threshold of quality: below it meshes keep most of their faces here."""
    import pymeshlab

    meshes = pymeshlab.MeshSet()
    meshes.add_mesh(pymeshlab.Mesh(np.asarray(mesh.vertices), np.asarray(mesh.faces)))
    meshes.meshing_decimation_quadric_edge_collapse(targetfacenum=faces, qualitythr=1.0)
    fewer = meshes.current_mesh()
    return trimesh.Trimesh(fewer.vertex_matrix(), fewer.face_matrix(), process=False)


def with_meshoptimizer(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """Keeps positions: an edge collapses into one of its ends."""
    import meshoptimizer

    indices = np.ascontiguousarray(mesh.faces, np.uint32).ravel()
    fewer = np.empty_like(indices)
    near = np.ascontiguousarray(mesh.vertices - mesh.bounds.mean(0), np.float32)
    kept = meshoptimizer.simplify(fewer, indices, near, target_index_count=3 * faces, target_error=1e9)
    simplified = trimesh.Trimesh(mesh.vertices, fewer[:kept].reshape(-1, 3).astype(np.int64), process=False)
    simplified.remove_unreferenced_vertices()
    return simplified


DECIMATIONS: dict[str, Decimation] = {
    "fast-simplification": decimated,
    "meshoptimizer": with_meshoptimizer,
    "open3d": with_open3d,
    "pymeshlab": with_pymeshlab,
    "libigl's qslim": decimated_by_quadrics,
}


def main(meshes: tyro.conf.Positional[tuple[Path, ...]], /, faces: tuple[int, ...] = (300, 1200, 4800)) -> None:
    """Print a line for each mesh, number of faces and library."""
    for path in meshes:
        truth = load_truth(path, 200_000)
        for count in faces:
            for name, decimate in DECIMATIONS.items():
                fewer = decimate(truth.mesh, count)
                size = len(draco(fewer, 11))
                score = truth.evaluate_mesh(fewer, size)
                print(
                    f"{path.stem}, {len(fewer.faces):,} faces, {name}: {size:,} bytes, IoU {score.iou:.4f}, "
                    f"Chamfer-L1 {score.chamfer_l1:.5f}",
                    flush=True,
                )


if __name__ == "__main__":
    tyro.cli(main)
