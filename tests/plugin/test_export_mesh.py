"""Which points of a surface the cameras of a run see."""

import pytest
import torch

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from nerfstudio.cameras.cameras import Cameras, CameraType

from sinenerf.plugin.export_mesh import _in_front


@pytest.mark.parametrize("kind", [CameraType.PERSPECTIVE, CameraType.FISHEYE])
@pytest.mark.parametrize("bent", [None, [-0.28, 0.08, 0, 0, 0, 0], [0.1, -0.02, 0, 0, 0.01, -0.01]])
def test_a_camera_sees_what_lies_on_its_rays_before_its_depth(kind, bent):
    """Fisheyes were taken for pinholes: at their rims, 80 degrees off, they saw nothing; lenses for ideal ones."""
    pose = torch.tensor([[[0.0, 0, 1, 2], [1, 0, 0, -1], [0, 1, 0, 3]]])
    focal = 30 / 1.5 if kind == CameraType.FISHEYE else 30.0
    params = None if bent is None else torch.tensor([bent])
    camera = Cameras(pose, focal, focal, 32.0, 24.0, 64, 48, params, camera_type=kind)[0:1]
    rays = camera.generate_rays(0)
    depth = torch.where(torch.arange(64) % 16 < 8, 5.0, 2.0).expand(48, 64)  # stripes: a pixel's own depth counts
    for share, seen in ((0.9, True), (1.2, False)):
        points = (rays.origins + share * depth[..., None] * rays.directions).reshape(-1, 3)
        assert (_in_front(points, camera, depth) == seen).all()


@pytest.mark.parametrize("kind", [CameraType.PERSPECTIVE, CameraType.FISHEYE])
def test_what_lies_outside_a_view_is_not_seen(kind):
    """The polynomial of a distortion maps directions far outside, and behind, back into the picture."""
    params = torch.tensor([[-0.28, 0, 0, 0, 0, 0]])
    camera = Cameras(torch.eye(4)[None, :3], 60.0, 60.0, 32.0, 24.0, 64, 48, params, camera_type=kind)[0:1]
    outside = torch.tensor([[1.8, 0, -1], [0, 2.5, -1], [0, 0.1, 1], [-0.7, 0, -1]])
    assert not _in_front(outside, camera, torch.full((48, 64), 9.0)).any()
