"""The settings of `sinenerf scene`, and what it reports. Needs no torch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sinenerf.capture.options import CaptureOptions
from sinenerf.common.checks import check_positive, check_seed, check_whole, file_size, training_budget
from sinenerf.common.settings import LayerChoice

WarpChoice = Literal["auto", "ndc", "box", "contraction"]


@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """How photographs become a scene."""

    minutes: float | None = None
    """Training time; 10 minutes if no steps are given."""
    steps: int | None = None
    """Training steps instead."""
    bytes: int | None = None
    """Size of the file; by default 6 bits for each parameter of the network."""
    layer: LayerChoice = "auto"
    """auto: the best that is known for the bytes (docs/radiance.md); sine, low-rank or dense."""
    warp: WarpChoice = "auto"
    """ndc: photographs that face one way; box: an object without background; contraction: anything else. auto chooses
    by the cameras and the sparse points."""
    size: int = 512
    """Largest width of the photographs in training, in pixels."""
    hold_every: int = 8
    """Hold out every n-th view for the score, starting with the first."""
    exposure: bool = True
    """Learn an affine exposure of each training photograph. Rendering leaves it out, and held-out views are scored
    without any fit."""
    refine_poses: bool = False
    """Learn a small correction of each training photograph's pose, and say how large they are."""
    frames: int = 48
    """Pictures of the film, 24 a second."""
    seed: int = 0
    """Of the initial parameters and of the rays."""

    def __post_init__(self) -> None:
        for name in ("size", "hold_every", "frames", "steps", "bytes"):
            check_whole(name, getattr(self, name))
        for name in ("size", "hold_every", "frames"):
            check_positive(name, getattr(self, name))
        if self.hold_every < 2:
            raise ValueError("hold_every is 1: give 2 or more, since 1 leaves no view to train on")
        check_seed(self.seed)
        self.budget()
        file_size(1, None, self.bytes)

    def budget(self) -> tuple[float, int]:
        """(seconds, steps) of the training, which ends when the first is reached.

        Raises:
            ValueError: both are given, or one is not positive.
        """
        return training_budget(self.minutes, self.steps, default_minutes=10.0)

    @property
    def capture_size(self) -> int:
        """Longer side of the photographs whose cameras have to be found: enough for `size` if one is twice as high as
        wide."""
        return max(CaptureOptions.size, 2 * self.size)

    def training_settings(self) -> dict[str, Any]:
        """The settings that change the trained field."""
        return {name: value for name, value in asdict(self).items() if name != "frames"}


@dataclass(frozen=True)
class SceneReport:
    """What was made of the photographs."""

    metrics: dict[str, float]
    """Mean psnr in dB, ssim and, where its weights are on disk, lpips of the held-out views as the file shows them."""
    held_out: int
    """Number of held-out views."""
    steps: int
    """Training steps."""
    seconds: float
    """Time spent in them."""
    parameters: int
    bytes: int
    """Size of the file."""
    written: tuple[Path, ...]
    """The scene, the film, the page and the contact sheet, as far as they were made."""
