"""The hidden folder beside a scene where a capture's stages keep their results, until the scene is complete."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sinenerf.capture.options import CaptureError
from sinenerf.capture.report import REPORT, CaptureReport
from sinenerf.common.files import check_folder, check_space, move_folder
from sinenerf.common.work_folder import WorkFolder

SUFFIX = "capture"
"""Of the hidden folder's name."""
RESULT = "scene"
"""Name of the folder in it where the scene's files are made, the report last."""
BYTES_EACH = 5_000_000
"""Disk space that a photograph takes while a scene is made: its copies, features and matches."""


class Workspace(WorkFolder):
    """Results of finished stages below a hidden folder. A later run with the same input and settings continues there.

    Args:
        scene: the folder to make. Nothing is written to it until `publish`.
        settings: what the result depends on.

    Raises:
        OSError: the scene's folder, or that beside it, cannot be written.
    """

    def __init__(self, scene: Path, settings: dict[str, Any]) -> None:
        check_folder(scene / REPORT if scene.is_dir() else scene)
        self.scene = scene
        super().__init__(scene, SUFFIX, settings)
        self.images, self.masks = self.folder / "images", self.folder / "masks"
        self.database, self.model = self.folder / "database.db", self.folder / "model"
        self.result = self.folder / RESULT

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """`WorkFolder.claimed`, with the folders of photographs and of masks."""
        with super().claimed() as others:
            for folder in (self.images, self.masks):
                folder.mkdir(exist_ok=True)
            yield others

    def check_space(self, photographs: int) -> None:
        """Refuse too small a disk: the scene's, or this folder's, where the scene is another disk or a link to one.

        Raises:
            DiskFull: naming the path.
        """
        for path in (self.scene, self.folder):
            check_space(path, photographs * BYTES_EACH)

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add to the time that a stage has taken."""
        times = self.seconds()
        self.write("seconds", times | {stage: times.get(stage, 0.0) + seconds})

    def seconds(self) -> dict[str, float]:
        """Time of each stage so far."""
        return self.read("seconds") or {}

    def empty_result(self) -> Path:
        """A new folder for the scene's files."""
        shutil.rmtree(self.result, ignore_errors=True)
        self.result.mkdir()
        return self.result

    def publish(self) -> None:
        """Move the complete scene to its place and remove this folder."""
        move_folder(self.result, self.scene, REPORT)
        self.discard()


def publishing(work: WorkFolder) -> bool:
    """Whether a run with these settings has ended before it had moved all of the complete scene to its place."""
    return work.resumes() and (work.folder / RESULT / REPORT).is_file()


def finished(scene: Path, settings: dict[str, Any]) -> CaptureReport | None:
    """The report of a scene that the same input and settings have made before; None if there is no scene,
    or a part of one that was being moved. What is left of the hidden folder beside a complete scene is removed.

    Raises:
        CaptureError: the folder has other content.
    """
    if not (scene.exists() or scene.is_symlink()) or (scene.is_dir() and not any(scene.iterdir())):
        return None
    work = WorkFolder(scene, SUFFIX, settings)
    if (scene / REPORT).is_file():
        report = CaptureReport.read(scene)
        if report.settings == settings:
            work.discard()  # the run that made the scene may have been ended while it did so
            return report
        raise CaptureError(
            f"{scene}: is a scene of other photographs or settings, and is not overwritten. Give another --output, or "
            "remove it"
        )
    if publishing(work):
        return None
    raise CaptureError(f"{scene}: already exists and is not overwritten. Give another --output")


def check_apart(source: Path, scene: Path) -> None:
    """Refuse a scene inside its own input, which would change the user's folder.

    Raises:
        CaptureError: the one lies in the other.
    """
    inner, outer = scene.resolve(), source.resolve()
    if inner == outer or outer in inner.parents:
        raise CaptureError(f"{scene}: lies in {source}, which is left as it is. Give an --output outside of it")


@contextmanager
def one_line_when_full(folder: Path) -> Iterator[None]:
    """Within the block a full disk, reported by Python or by COLMAP, becomes one line that says how to go on.

    Raises:
        OSError: the disk is full. What is finished is kept.
    """
    try:
        yield
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or "disk is full" in str(error) or "No space left" in str(error):
            raise OSError(
                f"{folder.parent}: no space left on the disk. What is finished is kept in {folder.name}: free some "
                "space and run the same command again"
            ) from None
        raise
