"""What a training keeps beside its output while it runs, so that after a kill the same command goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sinenerf.common.files import replacing

State = dict[str, Any]


def path_for(output: Path) -> Path:
    """Where the checkpoint of an output lies."""
    return output.with_name(f".{output.name}.checkpoint")


def save(path: Path, state: State) -> None:
    """Write a checkpoint, whole or not at all. With a "fingerprint" it is only read for the same training."""
    with replacing(path) as partial:
        torch.save(state, partial)


def save_finished(field: Any, output: Path, keeps_existing: bool, say: Callable[[str], None], at: str = "") -> bool:
    """Write a field when its training ends. One that Ctrl-C stopped does not replace a file of before, and keeps its
    checkpoint.

    Args:
        field: with `save`, and with `complete`, False after Ctrl-C.
        keeps_existing: whether the output was there before the training began.
        at: where Ctrl-C stopped it, for the line that is said then.

    Returns:
        whether the field was written.
    """
    written = field.complete or not keeps_existing
    if written:
        field.save(output)
    if field.complete:
        path_for(output).unlink(missing_ok=True)
    else:
        left = "holds the field so far" if written else "is as it was"
        say(f"stopped{at}: {output} {left}; the same command goes on")
    return written


def read(path: Path, say: Callable[[str], None], fingerprint: str | None = None) -> State | None:
    """The checkpoint at a path, its tensors on the CPU. None where there is none, and, with a line, where it is broken
    or another training's.

    Args:
        fingerprint: what must agree for a checkpoint to be gone on with.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken file
        say(f"{path} is passed over: it cannot be read ({type(error).__name__})")
        return None
    if state.get("fingerprint") != fingerprint:
        say(f"{path} is of other input or other settings: starting anew")
        return None
    return state
