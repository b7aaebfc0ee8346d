"""Which checkpoint a run goes on from, and whether it may."""

import math
from pathlib import Path
from typing import Any

import torch
import yaml

from sinenerf.common.say import say

NETWORK = "_model.field."
"""The names of the numbers of a run's networks begin so."""
ADVICE = "Give its settings, those in its config.yml"


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


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a run keeps, its tensors on the CPU.

    Raises:
        SystemExit: there is no such file, or it is no checkpoint.
    """
    if not path.is_file():
        there = ", ".join(other.name for other in sorted(path.parent.glob("step-*.ckpt"))) or "none"
        raise SystemExit(f"sinenerf: {path}: no such checkpoint. There are: {there}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if missing := {"step", "pipeline", "optimizers", "scalers"} - set(state):
            raise KeyError(*missing)
    except Exception as error:  # torch raises many kinds for a broken file
        raise SystemExit(
            f"sinenerf: {path}: is damaged, or no checkpoint of a run ({type(error).__name__}). Give another one"
        ) from None
    return state


def check_same_settings(path: Path, state: dict[str, Any], pipeline: Any, optimizer: torch.optim.Optimizer) -> None:
    """Whether a run may go on from a checkpoint, whose state dicts would bring an optimiser's settings, omega and gain
    along, or break in many lines.

    Args:
        path: where the checkpoint lies.
        state: what it holds.

    Raises:
        SystemExit: saying what differs.
    """
    pipeline = getattr(pipeline, "module", pipeline)  # under DDP it is wrapped
    shapes = [
        {name: getattr(values, "shape", None) for name, values in part.items() if name.startswith(NETWORK)}
        for part in (state["pipeline"], pipeline.state_dict())
    ]
    if shapes[0] != shapes[1]:
        raise SystemExit(
            f"sinenerf: {path}: is of a run with another network (layer, rank, width, depth or the like, or bits "
            f"where one has none). {ADVICE}"
        )
    saved = state["optimizers"].get("fields", {"param_groups": [{}]})
    ours = optimizer.param_groups[0]
    # SOAP's groups have this setting alone; other keys come and go with the versions of torch
    soap = ["precondition_frequency" in group for group in (saved["param_groups"][0], ours)]
    others = ["optimizer"] if soap[0] != soap[1] else []
    if len(saved["param_groups"][0].get("params", ours["params"])) != len(ours["params"]):
        others.append("learn-omega or learn-gain")
    others += _other_settings(path, state["pipeline"], pipeline)
    if others:
        raise SystemExit(f"sinenerf: {path}: is of a run with another {' and another '.join(others)}. {ADVICE}")


def _other_settings(path: Path, state: dict[str, Any], pipeline: Any) -> list[str]:
    """The settings without which a network's numbers mean something else, where a checkpoint's run has others."""
    ours, beside = pipeline.model.config, _settings_beside(path)
    names = ["omega", "spread"] if ours.layer == "sine" else []  # anchored rows and gains follow from them
    there = {name: yaml.safe_load(beside[name]) for name in (*names, "density_activation") if name in beside}
    others = {name: value for name, value in there.items() if value != getattr(ours, name)}
    # what the checkpoint itself knows, wherever it was moved to
    if (omega := _changed(state, pipeline, "omega")) is not None:
        others["omega"] = omega
    if _changed(state, pipeline, "gain") is not None:
        others.setdefault("spread", None)
    return [
        name.replace("_", "-") + ("" if value is None else f", which is {_shown(value)} there,")
        for name, value in sorted(others.items())
    ]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _changed(state: dict[str, Any], pipeline: Any, constant: str) -> float | None:
    """A checkpoint's constant of this name in the first layer that has another; None where all are the same."""
    for name, ours in pipeline.named_buffers():
        theirs = state.get(name, ours)
        if name.endswith(f".{constant}") and not math.isclose(theirs, ours, rel_tol=1e-5):
            return float(theirs)
    return None


def _settings_beside(path: Path) -> dict[str, str]:
    """The model's settings in the config.yml of a checkpoint's run, as they are written: no object is made of them."""
    try:
        node = yaml.compose((path.absolute().parents[1] / "config.yml").read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # a checkpoint may be moved away from its run
        return {}
    for part in ("pipeline", "model"):
        node = _entries(node).get(part)
    return {name: value.value for name, value in _entries(node).items()}


def _entries(node: Any) -> dict[str, Any]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
