"""Which checkpoint a run goes on from, and whether it may."""

from pathlib import Path
from typing import Any

import torch

from sinenerf.nerf.guard import say

NETWORK = "_model.field."
"""The names of the numbers of a run's networks begin so."""


def latest_valid_step(folder: Path) -> int:
    """The step of the newest checkpoint in a folder that can be read; broken ones and stray files are passed over.

    Raises:
        SystemExit: there is none.
    """
    for path in sorted(folder.glob("step-*.ckpt"), reverse=True):
        try:
            return int(torch.load(path, map_location="cpu", weights_only=True)["step"])
        except Exception as error:  # torch raises many kinds for a broken file
            say(f"{path} is passed over: it cannot be read ({type(error).__name__})")
    raise SystemExit(f"sinenerf: {folder}: no checkpoint that can be read. Give the folder nerfstudio_models of a run")


def check_same_settings(path: Path, pipeline: Any, optimizer: torch.optim.Optimizer) -> None:
    """Whether a run may go on from a checkpoint, whose state dicts would bring an optimiser's settings and omega along,
    or break in many lines.

    Raises:
        SystemExit: saying what differs.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    pipeline = getattr(pipeline, "module", pipeline)  # under DDP it is wrapped
    shapes = [
        {name: getattr(values, "shape", None) for name, values in part.items() if name.startswith(NETWORK)}
        for part in (state["pipeline"], pipeline.state_dict())
    ]
    if shapes[0] != shapes[1]:
        raise SystemExit(
            f"sinenerf: {path}: is of a run with another network (layer, rank, width, depth or the like, or bits "
            f"where one has none). Give its settings, or go on from it with --load-config and its config.yml"
        )
    saved = state["optimizers"].get("fields", {"param_groups": [{}]})
    ours = optimizer.param_groups[0]
    different = saved["param_groups"][0].keys() ^ ours.keys()
    others = ["optimizer"] if different - {"step"} else []  # SOAP counts there, once begun
    for name, omega in pipeline.named_buffers():
        if name.endswith(".omega") and (theirs := state["pipeline"].get(name, omega)) != omega:
            others.append(f"omega, which is {float(theirs):g} there,")
            break
    if others:
        raise SystemExit(
            f"sinenerf: {path}: is of a run with another {' and another '.join(others)}. "
            f"Give its settings, or go on from it with --load-config and its config.yml"
        )
