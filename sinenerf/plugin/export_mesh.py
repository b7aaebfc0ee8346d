"""A trained run as a coloured mesh: marching cubes of the density inside the cube, then back to the world."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from sinenerf.common.files import check_folder
from sinenerf.common.mesh_files import Z_UP_TO_Y_UP, check_format, save_mesh
from sinenerf.factored import built_once
from sinenerf.plugin.runs import open_run
from sinenerf.radiance import marching_cubes as meshing
from sinenerf.radiance.surface import raw_surface
from sinenerf.radiance.warps import NDC

if TYPE_CHECKING:
    import trimesh

Frame = Literal["scene", "capture"]

_DEPTH_SLACK = 1.05  # a point this much behind the depth of a view still counts as seen by it
_DEPTH_WIDTH = 160  # pixels across the depth maps that decide what was seen


def export_mesh(
    run: Path,
    output: Path,
    resolution: int = 256,
    level: float | None = None,
    box: tuple[float, float, float, float, float, float] | None = None,
    largest_component: bool = False,
    min_faces: int = 100,
    seen_only: bool = True,
    frame: Frame = "scene",
) -> "trimesh.Trimesh":
    """Write the surface of a run where its density passes `level`, with vertex colours.

    Args:
        run: folder of a `sine-nerf` run.
        output: .glb (y up), .ply, .obj, .stl or .off.
        resolution: grid samples along the longest side of the cube.
        level: density of the surface, in 1 / cube unit; by default between empty and solid.
        box: keep what lies inside (x0, y0, z0, x1, y1, z1), in nerfstudio's scene coordinates.
        largest_component: keep that alone.
        min_faces: drop smaller components.
        seen_only: drop what no training view saw: the field is unconstrained there.
        frame: nerfstudio's scene coordinates, or those of the capture's own poses.

    Raises:
        FileNotFoundError: no run there, or no folder for the output.
        ValueError: a bad option, or no surface (the message gives the range of densities and a level to try).
    """
    check_format(output)
    check_folder(output)
    if box is not None and not np.less(box[:3], box[3:]).all():
        raise ValueError(f"box {box}: give the smaller corner first, then the larger: x0 y0 z0 x1 y1 z1")
    pipeline = open_run(run)
    model = pipeline.model
    mesh = raw_surface(model.field, resolution, level, progress=True)
    with built_once(model), torch.no_grad():
        if seen_only:
            mesh = _keep_faces(mesh, _seen(pipeline, mesh.vertices)[mesh.faces].any(1), "no view saw the surface")
    if box is not None:
        inside = ((mesh.vertices >= box[:3]) & (mesh.vertices <= box[3:])).all(1)
        mesh = _keep_faces(mesh, inside[mesh.faces].all(1), f"no surface inside the box {box}")
    mesh = meshing.clean(mesh, largest_component, min_faces)
    if frame == "capture":
        mesh.apply_transform(_capture_from_scene(pipeline.datamanager.train_dataparser_outputs))
    elif output.suffix.lower() == ".glb" and not isinstance(model.warp, NDC):
        mesh.apply_transform(Z_UP_TO_Y_UP)  # scene boxes are z up, glTF is y up; forward-facing scenes are y up already
    save_mesh(mesh, output)
    return mesh


def _seen(pipeline, vertices: np.ndarray) -> np.ndarray:
    """(n,) whether some training view sees each scene point: it projects into the picture, not behind its depth."""
    cameras = pipeline.datamanager.train_dataset.cameras.to(pipeline.device)
    points = torch.from_numpy(np.array(vertices)).float()
    seen = torch.zeros(len(points), dtype=torch.bool)
    for index in track(range(len(cameras)), description="Depth of views"):
        camera = cameras[index : index + 1]
        camera.rescale_output_resolution(min(1.0, _DEPTH_WIDTH / float(camera.width[0])))
        depth = pipeline.model.get_outputs_for_camera(camera)["depth"][..., 0].cpu()
        seen |= _in_front(points, camera, depth)
    return seen.numpy()


def _in_front(points: Tensor, camera, depth: Tensor) -> Tensor:
    """(n,) whether points project into one perspective camera's depth map (height, width) and are not behind it."""
    to_world = camera.camera_to_worlds[0].cpu()
    offset = points - to_world[:, 3]
    x, y, z = (offset @ to_world[:, :3]).unbind(-1)
    column = (camera.cx[0].cpu() - x / z * camera.fx[0].cpu()).floor().long()
    row = (camera.cy[0].cpu() + y / z * camera.fy[0].cpu()).floor().long()
    height, width = depth.shape
    inside = (z < 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    shown = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return inside & (offset.norm(dim=-1) <= _DEPTH_SLACK * shown)


def _keep_faces(mesh: "trimesh.Trimesh", keep: np.ndarray, otherwise: str) -> "trimesh.Trimesh":
    if not keep.any():
        raise meshing.EmptySurface(f"{otherwise}: nothing is left to write")
    mesh.update_faces(keep)
    mesh.remove_unreferenced_vertices()
    return mesh


def _capture_from_scene(parsed) -> np.ndarray:
    """(4, 4): undoes the dataparser's x_scene = scale * (motion @ [x, 1])."""
    motion = np.eye(4)
    motion[:3] = parsed.dataparser_transform.numpy()
    return np.linalg.inv(motion) @ np.diag([1 / parsed.dataparser_scale] * 3 + [1.0])
