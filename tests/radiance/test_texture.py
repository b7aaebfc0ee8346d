"""Textures of meshes of fields whose colours are known."""

import numpy as np
import pytest
import torch
import trimesh

from sinenerf.common.decimation import decimated
from sinenerf.common.mesh_files import save_mesh
from sinenerf.radiance.surface import extract_surface
from sinenerf.radiance.texture import check_texture, textured
from sinenerf.radiance.warps import NDC, Box


class PaintedBall(torch.nn.Module):
    """A ball of radius 0.6 in the cube, whose colour is its place there."""

    def __init__(self, warp):
        super().__init__()
        self.warp, self.far, self.unused = warp, 1.0, torch.nn.Parameter(torch.zeros(1))

    def density(self, points):
        return torch.exp((200 * (0.6 - points.norm(dim=-1, keepdim=True)) + 5).clamp(max=12))

    def colour(self, points, directions):
        return (points / 2 + 0.5).clamp(0, 1)


@pytest.mark.parametrize("warp", [NDC(0.6, 0.45), Box((1.0, 2.0, 3.0), (2.0, 2.0, 2.0))], ids=["ndc", "box"])
@pytest.mark.parametrize("faces", [None, 300])
@pytest.mark.parametrize("compress", [None, "draco"])
def test_texels_show_the_fields_colour(warp, faces, compress, tmp_path):
    """trimesh reads the file and looks the texture up; a decimated mesh still shows the surface's colours."""
    volume = PaintedBall(warp)
    mesh = extract_surface(volume, 32, None, False, 1)
    mesh = textured(volume, mesh if faces is None else decimated(mesh, faces), 256, 2 / 32)
    save_mesh(mesh, tmp_path / "ball.glb", compress=compress)
    (read,) = trimesh.load(tmp_path / "ball.glb", process=False).geometry.values()
    assert len(read.faces) == len(mesh.faces)
    points, face = trimesh.sample.sample_surface(read, 2000, seed=0)
    weights = trimesh.triangles.points_to_barycentric(read.triangles[face], points)
    uv = np.einsum("nk,nkc->nc", weights, read.visual.uv[read.faces[face]])
    picture = np.asarray(read.visual.material.baseColorTexture.convert("RGB"), np.float64)
    height, width = picture.shape[:2]
    row, column = (1 - uv[:, 1]) * height - 0.5, uv[:, 0] * width - 0.5
    shown = picture[np.rint(row).astype(int).clip(0, height - 1), np.rint(column).astype(int).clip(0, width - 1)] / 255
    cube = warp.warp_points(torch.from_numpy(points)).numpy()
    expected = cube / np.linalg.norm(cube, axis=1, keepdims=True) * 0.6 / 2 + 0.5
    errors = abs(shown - expected).max(1)
    assert np.quantile(errors, 0.9) < 0.06 and errors.mean() < 0.03, errors.mean()


def test_every_texel_has_a_colour():
    """Filters and mip maps mix texels across the borders of charts."""
    volume = PaintedBall(Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    mesh = textured(volume, extract_surface(volume, 24, None, False, 1), 128, 2 / 24)
    picture = np.asarray(mesh.visual.material.image)
    assert picture.shape[2] == 3 and picture.max(2).min() > 40


@pytest.mark.parametrize("size", [0, 15, 8193])
def test_sizes_out_of_bounds_are_refused(size):
    with pytest.raises(ValueError, match="choose 16 to 8192"):
        check_texture(size)
