"""The settings of `sinenerf capture`, without any heavy import."""

import os
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sinenerf.common.checks import check_positive, check_seed, check_whole


class CaptureError(ValueError):
    """The photographs do not make a scene. The message, one line, says what is wrong and how to mend it."""


@dataclass(frozen=True)
class CaptureOptions:
    """How photographs become a scene."""

    frames: int = 60
    """Pictures to take from a film: it is cut into so many stretches, and each gives its sharpest picture."""
    size: int = 1600
    """Longer side of the scene's photographs, in pixels; larger ones are shrunk, smaller ones are kept."""
    features: int = 4096
    """Most features (SIFT keypoints) of a photograph."""
    matching: Literal["auto", "exhaustive", "sequential", "retrieval"] = "auto"
    """Which photographs are compared. exhaustive: all with all; sequential: neighbours in time, and those that look
    alike; retrieval: those that look alike. auto: exhaustive up to 60 photographs, then sequential for a film and
    retrieval for photographs."""
    min_placed: int = 3
    """Fewest photographs that make a scene."""
    seed: int = 0
    """Of the random samples in matching and mapping."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processor threads."""

    def __post_init__(self) -> None:
        for name in ("frames", "size", "features", "min_placed", "threads"):
            check_whole(name, getattr(self, name))
            check_positive(name, getattr(self, name))
        for name in ("frames", "min_placed"):
            if getattr(self, name) < 3:
                raise ValueError(f"{name} is {getattr(self, name)}: give 3 or more, fewer do not fix a scene")
        check_seed(self.seed)

    def result_settings(self, film: bool) -> dict[str, Any]:
        """The settings that change the result: all but the number of threads, and that of pictures only of a film."""
        without = {"threads"} if film else {"threads", "frames"}
        return {name: value for name, value in asdict(self).items() if name not in without}
