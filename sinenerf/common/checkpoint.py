"""The checkpoint beside an output file while it is being trained: after a kill, the same command resumes from it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from sinenerf.common.files import replacing

State = dict[str, Any]


class TrainedField(Protocol):
    """The part of a field's interface that `save_result` needs."""

    complete: bool
    """False if Ctrl-C stopped the training."""

    def save(self, path: Path) -> None:
        """Write the field."""


def path_for(output: Path) -> Path:
    """Path of an output's checkpoint."""
    return output.with_name(f".{output.name}.checkpoint")


def save(path: Path, state: State) -> None:
    """Write a checkpoint, whole or not at all. If it has a "fingerprint", `load` must be given the same one."""
    content = io.BytesIO()  # torch.save into a file names neither the disk nor the reason when it is full
    torch.save(state, content)
    with replacing(path) as partial:
        partial.write_bytes(content.getbuffer())


def load(path: Path, say: Callable[[str], None], fingerprint: str | None = None) -> State | None:
    """The checkpoint at a path, its tensors on the CPU; None if there is none to resume from.

    Args:
        say: is given a message if a checkpoint exists but is broken or belongs to another training.
        fingerprint: identifies the training's input and settings.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a broken file
        say(f"ignoring {path}: it cannot be read ({type(error).__name__})")
        return None
    if state.get("fingerprint") != fingerprint:
        say(f"ignoring {path}: it belongs to other input or other settings; starting anew")
        return None
    return state


def save_result(field: TrainedField, output: Path, keep_existing: bool) -> bool:
    """Write a field when its training has ended, and delete its checkpoint if the training is complete.

    Args:
        keep_existing: do not overwrite the output with an incomplete field: it existed before the training began.

    Returns:
        whether the field was written.
    """
    written = field.complete or not keep_existing
    if written:
        field.save(output)
    if field.complete:
        path_for(output).unlink(missing_ok=True)
    return written


def interruption_message(output: Path, written: bool, where: str = "") -> str:
    """What to tell the user after Ctrl-C, `where` being " at step 12" for example."""
    content = "holds the field in its current state" if written else "is unchanged"
    return f"stopped{where}: {output} {content}; run the same command to resume"
