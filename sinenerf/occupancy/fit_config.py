"""How a field is fitted: the settings, and their names shared with those of the architecture."""

from dataclasses import dataclass, fields
from typing import Any, Literal

import torch

from sinenerf.common.checks import check_choice, check_positive, check_seed, check_whole, file_size, training_budget
from sinenerf.common.hardware import Precision
from sinenerf.common.optimization import OptimizerKind
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.sampling import SamplerKind
from sinenerf.occupancy.sizing import DEFAULT_BYTES, suited
from sinenerf.rounding.curvature import Loss

Device = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True)
class FitConfig:
    """How a field is fitted."""

    minutes: float | None = None
    """Train for so long; without steps either, two minutes."""
    steps: int | None = None
    """Train for so many steps."""
    batch: int = 8192
    """Points a step."""
    optimizer: OptimizerKind = "adam"
    """adam, or soap: Adam in the eigenbasis of the gradients; better, but for a sine of a spread of 1 or more."""
    learning_rate: float = 1e-2
    """The optimiser's peak rate, after a warm-up; it falls to zero along a cosine."""
    sampler: SamplerKind = "surface"
    """surface: mostly near the surface, some anywhere; grid: every voxel of the cube, as in the paper."""
    pool: int = 1_500_000
    """Points that the surface sampler labels before training."""
    resolution: int = 512
    """Voxels a side of the grid sampler."""
    loss: Loss = "cross-entropy"
    """Of the occupancy against the label. mse is the paper's."""
    seed: int = 0
    """Of the network's start and of the training points."""
    device: Device = "auto"
    """Where to train. auto: a GPU if there is one."""
    precision: Precision = "auto"
    """Number format inside the network. auto: bfloat16 where the processor multiplies it natively."""
    bits: float | None = None
    """Size of the file, all counted, in bits a parameter; 32 stores float32. Without bytes either, 8."""
    bytes: int | None = None
    """Size of the file in bytes. `split_settings` chooses what suits it: network, optimiser, learning rate, batch."""

    def check(self) -> None:
        """Raise ValueError on a setting that cannot be."""
        for name in ("steps", "batch", "pool", "resolution", "bytes"):
            check_whole(name, getattr(self, name))
        check_seed(self.seed)
        self.budget()
        self.file_size(1)
        check_choice("optimizer", self.optimizer, OptimizerKind)
        check_choice("sampler", self.sampler, SamplerKind)
        check_choice("loss", self.loss, Loss)
        check_choice("device", self.device, Device)
        check_choice("precision", self.precision, Precision)
        for name in ("batch", "learning_rate", "pool", "resolution"):
            check_positive(name, getattr(self, name))
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device cuda: torch sees no such GPU here. Leave --device out, or use cpu")

    def file_size(self, parameters: int) -> int | None:
        """Bytes that the file may have; None for float32."""
        return file_size(parameters, self.bits, self.bytes, default_bits=8.0)

    def budget(self) -> tuple[float, int]:
        """(seconds, steps): training ends with the first that is reached."""
        return training_budget(self.minutes, self.steps, default_minutes=2.0)


def split_settings(settings: dict[str, Any]) -> tuple[OccupancyConfig, FitConfig]:
    """Keyword settings as the two dataclasses that they belong to.

    With `bytes`, what is left open of the network and its training is chosen for that size (`sizing.suited`), which is
    `DEFAULT_BYTES` where neither a size nor a network is given. Else it is as the dataclasses say.

    Raises:
        ValueError: a name that neither has, or with `bytes` a setting of the network that cannot be.
    """
    of_field, of_fit = ({f.name for f in fields(kind)} for kind in (OccupancyConfig, FitConfig))
    unknown = set(settings) - of_field - of_fit
    if unknown:
        raise ValueError(
            f"no setting is called {sorted(unknown)[0]!r}: there are {', '.join(sorted(of_field | of_fit))}"
        )
    if all(settings.get(name) is None for name in ("bits", "bytes", "width", "rank")):
        settings = {**settings, "bytes": DEFAULT_BYTES}
    if settings.get("bytes") is not None:
        settings = suited(settings)
    return (
        OccupancyConfig(**{name: value for name, value in settings.items() if name in of_field}),
        FitConfig(**{name: value for name, value in settings.items() if name in of_fit}),
    )
