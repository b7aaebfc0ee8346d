"""The folder of a generated scene: it appears when it is complete, and after a kill the same call goes on."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sinenerf.common.files import move_folder, replacing
from sinenerf.common.work_folder import WorkFolder

DESCRIPTION = "scene.json"
"""Name in the scene's folder of the settings that it was made with, which are written last."""


def generate(
    target: Path, settings: dict[str, Any], files: Iterable[str], write: Callable[[WorkFolder, Path], None]
) -> Path:
    """Make a scene's folder, and the folders above it. A scene with the same settings is left as it is.

    Args:
        target: folder to make; it is absent or empty.
        settings: what the scene depends on; `generator` is the program and its version.
        files: paths in the folder that every such scene has.
        write: writes the scene's files to the folder that it is given. An earlier call with the same settings may have
            left a part of them there, and notes in the work folder.

    Returns:
        the target.

    Raises:
        ValueError: the target is a file, a folder with other content, or a scene with other settings.
        BlockingIOError: another process makes the same scene.
        OSError: the folder cannot be written.
    """
    work = WorkFolder(target, "partial", settings)
    if _is_complete(target, settings, files):
        work.discard()  # the call that made the scene may have been ended while it did so
        return target
    scene = work.folder / "scene"
    moved_in_part = work.resumes() and (scene / DESCRIPTION).is_file()
    if target.exists() and not (target.is_dir() and (moved_in_part or not any(target.iterdir()))):
        raise ValueError(f"{target}: already exists with other content and is not overwritten. Choose another folder")
    work.folder.parent.mkdir(parents=True, exist_ok=True)
    with work.claimed():
        if not moved_in_part:
            scene.mkdir(exist_ok=True)
            write(work, scene)
            with replacing(scene / DESCRIPTION) as partial:
                partial.write_text(json.dumps(settings, indent=2) + "\n")
        move_folder(scene, target, DESCRIPTION)
        work.discard()
    return target


def _is_complete(target: Path, settings: dict[str, Any], files: Iterable[str]) -> bool:
    """Whether a folder holds the scene.

    Raises:
        ValueError: it holds another scene of the same generator.
    """
    try:
        found = json.loads((target / DESCRIPTION).read_text())
    except (OSError, ValueError):
        return False
    if not isinstance(found, dict) or found.get("generator") != settings["generator"]:
        return False
    if found != settings or not all((target / name).is_file() for name in files):
        raise ValueError(
            f"{target}: already holds a scene with other settings or missing files. Remove it, or choose another folder"
        )
    return True
