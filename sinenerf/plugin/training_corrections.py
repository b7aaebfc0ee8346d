"""What differs from photograph to photograph and is no part of the scene: exposure, and errors of the poses.

Both are learned in training only. Rendering leaves them out, and held-out views are scored without any fit to them.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.camera_optimizers import CameraOptimizer, CameraOptimizerConfig
from torch import Tensor, nn

EXPOSURE_PENALTY = 1e-3
"""Weight of the squared logarithms of the gains and of the squared offsets in the loss."""
POSE_PENALTIES = {"trans_l2_penalty": 1e-2, "rot_l2_penalty": 1e-3}
"""nerfstudio's own."""


class Exposures(nn.Module):
    """An affine map of the colours of each training photograph: a gain and an offset for each channel.

    Their mean over the photographs is the identity, so that the scene has the photographs' mean exposure.
    """

    def __init__(self, photographs: int) -> None:
        super().__init__()
        self.log_gains = nn.Parameter(torch.zeros(photographs, 3))
        self.offsets = nn.Parameter(torch.zeros(photographs, 3))

    def forward(
        self, colour: Float[Tensor, "rays samples 3"], photographs: Int[Tensor, " rays"]
    ) -> Float[Tensor, "rays samples 3"]:
        """Colours of the scene as the photographs that the rays belong to show them."""
        gains, offsets = ((values - values.mean(0))[photographs, None] for values in (self.log_gains, self.offsets))
        return gains.exp() * colour + offsets

    def penalty(self) -> Float[Tensor, ""]:
        """Part of the loss that keeps the maps near the identity."""
        return EXPOSURE_PENALTY * (self.log_gains.square().sum(1) + self.offsets.square().sum(1)).mean()


def make_pose_corrections(photographs: int) -> CameraOptimizer:
    """A small rotation and translation for each training photograph, by nerfstudio's optimiser of cameras."""
    return CameraOptimizer(CameraOptimizerConfig(mode="SO3xR3", **POSE_PENALTIES), photographs, "cpu")


class PoseChange(NamedTuple):
    """How far pose refinement has moved the cameras."""

    mean_degrees: float
    largest_degrees: float
    mean_shift: float
    """In the units of the capture."""
    largest_shift: float

    def __str__(self) -> str:
        return (
            f"poses refined by {self.mean_degrees:.3f} degrees and {self.mean_shift:.4g} units on average, at most "
            f"{self.largest_degrees:.3f} degrees and {self.largest_shift:.4g} units"
        )


def pose_change(corrections: CameraOptimizer, scale: float) -> PoseChange:
    """The change of the poses.

    Args:
        scale: of the scene, as multiple of the capture's units.
    """
    adjustment = corrections.pose_adjustment.detach().cpu()
    shift, degrees = adjustment[:, :3].norm(dim=1) / scale, torch.rad2deg(adjustment[:, 3:].norm(dim=1))
    return PoseChange(float(degrees.mean()), float(degrees.max()), float(shift.mean()), float(shift.max()))
