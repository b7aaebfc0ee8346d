"""The hidden folder of a long command, where its finished steps wait for the command to go on after a kill."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sinenerf.common.files import replacing

SETTINGS, LOCK = "settings", "lock"
"""Names in the folder of what the results depend on, and of the file that the working process has locked."""


def hidden_beside(output: Path, suffix: str) -> Path:
    """The place of an output's work folder."""
    return output.absolute().with_name(f".{output.absolute().name}.{suffix}")


class WorkFolder:
    """A hidden folder beside an output, where the steps of a long command keep their results until all are complete.

    It holds JSON under names, and any other files, which a later run of the same command finds again.

    Args:
        output: the file or folder that the command makes.
        suffix: of the hidden folder's name, `.NAME.suffix` beside the output.
        settings: what the results depend on.
    """

    def __init__(self, output: Path, suffix: str, settings: dict[str, Any]) -> None:
        self.output, self.settings = output, json.loads(json.dumps(settings))
        self.folder = hidden_beside(output, suffix)

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Work in the folder: it exists within the block, and no other process is in it.

        Results of other settings are discarded, but for what `stays` names. A folder in which nothing was finished is
        removed at the end. The lock is the operating system's, so that a kill ends it.

        Yields:
            whether results of other settings were discarded.

        Raises:
            BlockingIOError: another process makes the same output.
            OSError: the folder cannot be created.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(exist_ok=True)
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise BlockingIOError(
                f"{self.output}: another command is making it now. Wait until that ends, or give another output"
            ) from None
        try:
            others = False
            if not self.resumes():
                had_settings = self.read(SETTINGS) is not None  # a folder without is new, or half discarded
                others = self._empty() and had_settings
                self.write(SETTINGS, self.settings)
            yield others
        finally:
            if not any(path.is_file() for path in self._results()):
                self.discard()
            lock.release()

    def resumes(self) -> bool:
        """Whether the folder has results of the same settings."""
        return bool(self.read(SETTINGS) == self.settings)

    def read(self, name: str) -> Any:
        """The JSON kept under a name, or None."""
        try:
            return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, name: str, content: Any) -> None:
        """Keep JSON under a name, whole or not at all."""
        with replacing(self.folder / f"{name}.json") as partial:
            partial.write_text(json.dumps(content), encoding="utf-8")

    def discard(self) -> None:
        """Remove the folder and everything in it."""
        with suppress(OSError):  # first: what a kill leaves of the rest is of no settings, and never used
            (self.folder / f"{SETTINGS}.json").unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stays(self, other_settings: Any) -> set[str]:
        """Names in the folder that are still of use after a run with other settings."""
        return set()

    def _results(self) -> Iterator[Path]:
        """Everything below the folder but its lock and its settings."""
        own = self.folder / LOCK, self.folder / f"{SETTINGS}.json"
        return (path for path in self.folder.rglob("*") if path not in own)

    def _empty(self) -> bool:
        """Remove all results but those that stay. Returns whether there were any."""
        stays = self.stays(self.read(SETTINGS)) | {LOCK, f"{SETTINGS}.json"}
        found = [path for path in self.folder.iterdir() if path.name not in stays]
        for path in found:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return bool(found)
