"""What a capture did: which photographs were placed, which were left out, and why."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sinenerf.common.files import replacing

REPORT = "capture.json"
"""Name of the report in the scene's folder."""
CONTACT_SHEET = "contact_sheet.jpg"
"""Name of the picture of all photographs there."""
DARK = 12.0
"""Mean grey value, of 255, below which a photograph is called dark."""
Reason = Literal[
    "unreadable",
    "too large",
    "panorama",
    "duplicate",
    "blurred",
    "dark",
    "no overlap",
    "another scene",
    "not placed",
]


@dataclass(frozen=True)
class LeftOut:
    """A photograph that is not part of the scene."""

    source: str
    """Its path below the input folder, or its time in the film."""
    reason: Reason
    detail: str
    """The reason in words, with its figures."""


@dataclass
class CaptureReport:
    """The outcome of `capture`. It is kept in the scene's folder as capture.json."""

    scene: Path
    """The scene's folder."""
    placed: dict[str, str]
    """Name in the scene of each placed photograph, and where it came from."""
    left_out: list[LeftOut]
    cameras: int
    """Number of different cameras (lenses, zooms, sizes)."""
    points: int
    """Number of sparse points."""
    reprojection_error: float
    """Mean distance in pixels between where a point is seen and where its camera says it should be."""
    facing: float
    """Largest angle in degrees between a viewing direction and the mean of all: small for a scene seen from one side,
    about 90 or more for an object seen from all sides."""
    matching: str
    """How the pairs of photographs to compare were chosen."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time of each stage, over all calls."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings and input that the scene was made from."""

    @property
    def total(self) -> int:
        """Number of photographs found."""
        return len(self.placed) + len(self.left_out)

    def summary(self) -> str:
        """One line: how many photographs were placed, and how well."""
        return (
            f"placed {len(self.placed)} of {self.total}, {self.points:,} points, "
            f"error {self.reprojection_error:.2f} pixels, {sum(self.seconds.values()):.0f} s"
        )

    def reasons(self, most: int = 3) -> list[str]:
        """A line for each reason why photographs were left out, with the first of them."""
        lines = []
        for reason in dict.fromkeys(left.reason for left in self.left_out):
            group = [left for left in self.left_out if left.reason == reason]
            names = ", ".join(left.source for left in group[:most])
            more = f" and {len(group) - most} more" if len(group) > most else ""
            lines.append(f"left out {len(group)}, {reason}: {names}{more} ({group[0].detail})")
        return lines

    def write(self, folder: Path) -> None:
        """Write capture.json to a folder, whole or not at all."""
        content = asdict(self)
        del content["scene"]  # a scene can be moved
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        with replacing(folder / REPORT) as partial:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")

    @classmethod
    def read(cls, scene: Path) -> "CaptureReport":
        """Read the report in a scene's folder.

        Raises:
            OSError: there is none.
            ValueError: it is not one.
        """
        path = scene / REPORT
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            left_out = [LeftOut(**left) for left in content.pop("left_out")]
            return cls(scene=scene, left_out=left_out, **content)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValueError(f"{path}: is not the report of a capture. Give another output folder") from None
