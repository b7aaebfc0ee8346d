"""Which points of a surface the cameras of a run see."""

import pytest
import torch

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from nerfstudio.cameras.cameras import Cameras, CameraType

from sinenerf.plugin.export_mesh import _in_front


@pytest.mark.parametrize("kind", [CameraType.PERSPECTIVE, CameraType.FISHEYE])
def test_a_camera_sees_what_lies_on_its_rays_before_its_depth(kind):
    """Fisheyes were taken for pinholes: at their rims, 80 degrees off, they saw nothing."""
    pose = torch.tensor([[[0.0, 0, 1, 2], [1, 0, 0, -1], [0, 1, 0, 3]]])
    focal = 30 / 1.5 if kind == CameraType.FISHEYE else 30.0
    camera = Cameras(pose, focal, focal, 32.0, 24.0, 64, 48, camera_type=kind)[0:1]
    rays = camera.generate_rays(0)
    depth = torch.full((48, 64), 5.0)
    for distance, seen in ((4.5, True), (6.0, False)):
        points = (rays.origins + distance * rays.directions).reshape(-1, 3)
        assert (_in_front(points, camera, depth) == seen).all()
