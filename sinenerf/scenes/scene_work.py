"""The hidden folder beside an output where the steps of `sinenerf scene` keep their results until all are complete."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sinenerf.capture.intake import describe_input
from sinenerf.capture.workspace import SUFFIX
from sinenerf.common.console import say
from sinenerf.common.files import check_folder, replacing, stamp
from sinenerf.common.work_folder import SETTINGS, WorkFolder, hidden_beside
from sinenerf.photographs.reading import has_cameras, read_cameras_of

SKIPPED = {"Thumbs.db", ".DS_Store"}
"""Files that systems write by themselves."""
COPIED = "copied"
"""Name in the folder of the note of what has been copied, or is about to be: where to, and the hash of the content."""


class SceneWork(WorkFolder):
    """Results of finished steps. A later call with the same input and settings goes on there.

    Args:
        source: the input, which is only read.
        outputs: the files to write: the scene, and a film, a page and a contact sheet where they are wanted.
        settings: what the results depend on besides the input.

    Raises:
        FileNotFoundError: the input, or the folder of an output, does not exist.
        FileExistsError: an output exists.
        ValueError: an output lies in the input, or the input is a capture that cannot be used.
    """

    def __init__(self, source: Path, outputs: tuple[Path, ...], settings: dict[str, Any]) -> None:
        if not source.exists():
            raise FileNotFoundError(f"{source}: no such file or folder. Give photographs, a film, or a capture")
        self.outputs, scene = outputs, outputs[0]
        for path in outputs:
            check_folder(path)
            if source.is_dir() and source.resolve() in path.resolve().parents:
                raise ValueError(f"{path}: lies in {source}, which is left as it is. Give an output elsewhere")
        super().__init__(scene, "work", {**settings, **_described(source)})
        if self.read(SETTINGS) is None and any(path.exists() for path in outputs):
            self.discard()  # the call that made the outputs may have been ended while it did so
        for path in outputs:
            self._check_free(path)

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """`WorkFolder.claimed`, which says so if it discards other results."""
        with super().claimed() as others:
            if others:
                say(f"ignoring the training in {self.folder}: it was of other input or other settings; starting anew")
            yield others

    def stays(self, other_settings: Any) -> set[str]:
        """The capture of the same photographs in the same size, whatever the settings of the training."""
        same = isinstance(other_settings, dict) and all(
            other_settings.get(name) == self.settings[name] for name in ("input", "files", "capture_size")
        )
        return {self.capture.name, hidden_beside(self.capture, SUFFIX).name} if same else set()

    @property
    def capture(self) -> Path:
        """Where photographs without cameras become a scene with cameras."""
        return self.folder / "capture"

    @property
    def finished(self) -> tuple[Path, ...]:
        """Where the outputs are made, with their own names."""
        folder = self.folder / "finished"
        folder.mkdir(exist_ok=True)
        return tuple(folder / path.name for path in self.outputs)

    def publish(self) -> None:
        """Copy the outputs to their places, each whole or not at all and the scene last, and remove this folder.

        Raises:
            FileExistsError: an output has appeared since the command began; none is copied.
            OSError: an output cannot be written. All are kept in this folder.
        """
        for path in self.outputs:
            self._check_free(path)
        for made, path in reversed(list(zip(self.finished, self.outputs, strict=True))):
            self.write(COPIED, [*(self.read(COPIED) or []), _identity(path, made)])
            with replacing(path) as partial:
                shutil.copyfile(made, partial)
        self.discard()

    def _check_free(self, path: Path) -> None:
        """Refuse an output that exists, unless it is what an earlier call, ended while it published, has copied."""
        known = (self.read(COPIED) or []) if self.resumes() else []
        if path.exists() and not (path.is_file() and _identity(path, path) in known):
            raise FileExistsError(f"{path}: already exists and is not overwritten. Give another name, or remove it")


def _identity(place: Path, content: Path) -> list[str]:
    """What a file is known by: where it is, or is about to be, and the hash of its content."""
    with content.open("rb") as file:
        return [str(place.absolute()), hashlib.file_digest(file, "sha256").hexdigest()]


def _described(source: Path) -> dict[str, Any]:
    """The input by paths, sizes and times of change: what `capture` reads of it or, where it has cameras, the files in
    it and its photographs and masks, wherever these lie."""
    if not has_cameras(source):
        return describe_input(source)
    files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
    shown = {path.absolute() for path in files if not _is_hidden(path.relative_to(source))}
    capture = read_cameras_of(source)
    shown |= {path.absolute() for path in (*capture.paths, *(capture.masks or ())) if path is not None}
    return {"input": str(source.resolve()), "files": [[str(path), *stamp(path)] for path in sorted(shown)]}


def _is_hidden(path: Path) -> bool:
    return path.name in SKIPPED or any(part.startswith(".") for part in path.parts)
