"""The programs that a job can run, and the datasets that they run on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sinenerf.rd.programs.decimated_mesh import DecimatedMeshProgram, Draco, Meshopt
from sinenerf.rd.programs.nerfstudio import NerfstudioProgram
from sinenerf.rd.programs.occupancy import OccupancyProgram
from sinenerf.rd.programs.radiance import RadianceProgram
from sinenerf.rd.programs.shapes import find_mesh
from sinenerf.rd.results import Measurement, Settings


class Program(Protocol):
    """One way to compress a scene."""

    trains: bool
    """Whether the plan's shared settings apply, in particular the training budget."""

    def resolve(self, given: Settings) -> Settings:
        """All settings, with defaults filled in.

        Raises:
            ValueError: an unknown or impossible setting.
        """
        ...

    def estimate(self, settings: Settings) -> float | None:
        """Seconds that a run takes, roughly; None for a budget of `steps`, whose time depends on the hardware."""
        ...

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        """What a run reads of a scene: files in its folder, or the scene's own file."""
        ...

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Measurement | None:
        """Write the file `artefact`, whose extension is the program's own, and score it. None after Ctrl-C.

        A run that was killed resumes from what it kept in `results.working_folder`, which the sweep removes once the
        result is written, or from its checkpoint beside the artefact.
        """
        ...


@dataclass(frozen=True)
class Dataset:
    """A kind of scene."""

    default_program: str
    """Program of methods that name none."""
    find_scene: Callable[[Path, str], Path]
    """Returns a scene's file or folder, given the data folder and the scene's name."""
    quality: str
    """The measure that plots show by default."""


PROGRAMS: dict[str, Program] = {
    "field": OccupancyProgram(),
    "draco": DecimatedMeshProgram(Draco()),
    "meshopt": DecimatedMeshProgram(Meshopt()),
    "nerf": RadianceProgram(),
    "nerfstudio": NerfstudioProgram(),
}
DATASETS = {
    "shapes": Dataset("field", find_mesh, "iou"),
    "photographs": Dataset("nerf", lambda folder, name: folder / name, "psnr"),
}
