"""What a job can run: one entry a kind of method, and the datasets that they run on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sinenerf.rd.programs.nerfstudio import RivalProgram
from sinenerf.rd.programs.occupancy import DracoProgram, FieldProgram, find_mesh
from sinenerf.rd.programs.radiance import NerfProgram, find_scene
from sinenerf.rd.results import Result, Settings


class Program(Protocol):
    """One way to turn a scene into bytes."""

    trains: bool
    """Whether the sweep's shared settings, its budget above all, apply."""

    def resolve(self, given: Settings) -> Settings:
        """All settings, defaults filled in.

        Raises:
            ValueError: an unknown or impossible setting.
        """
        ...

    def estimate(self, settings: Settings) -> float:
        """Seconds that a run takes, roughly."""
        ...

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        """What a run reads of a scene: files in it, or the scene itself."""
        ...

    def run(self, scene: Path, settings: Settings, artefact: Path) -> "Result | None":
        """Make the file `artefact` (its extension is the program's own) and score it. None after Ctrl-C.

        A run that was killed goes on from what it kept in `results.working_folder`, which the sweep removes once the
        result is written, or from its checkpoint beside the artefact. Of the result only what the job itself
        does not say has to be right: dataset, scene, method and hardware are filled in by the sweep.
        """
        ...


@dataclass(frozen=True)
class Dataset:
    """A kind of scenes."""

    program: str
    """Of methods that name none."""
    place: Callable[[Path, str], Path]
    """From the folder and a scene's name to its file or folder."""
    quality: str
    """The measure that plots show by default."""


PROGRAMS: dict[str, Program] = {
    "field": FieldProgram(),
    "draco": DracoProgram(),
    "nerf": NerfProgram(),
    "nerfstudio": RivalProgram(),
}
DATASETS = {"shapes": Dataset("field", find_mesh, "iou"), "photographs": Dataset("nerf", find_scene, "psnr")}
