"""Which checkpoint a run goes on from, whether it may, and for how many steps."""

import math
from pathlib import Path
from typing import Any

import torch
import yaml

from sinenerf.common.console import say

NETWORK = "_model.field."
"""The names of the numbers of a run's networks begin so."""
HARMLESS = {"_target", "data", "downscale_factor", "widest"}
"""Settings of a data parser that may change: where the photographs lie, and how large they are."""
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


def counted_from(state: dict[str, Any], steps: int) -> int:
    """The step from which a run that goes on counts its `steps`.

    A run that was stopped counts from where it began, so that the same settings end it where it would have ended. One
    that had ended, or has made as many, makes so many more. A checkpoint of before says of neither.
    """
    start, begin = state["step"] + 1, state.get("begin", 0)
    ended = start >= state.get("end", math.inf)
    return start if ended or begin + steps <= start else begin


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
        differ = " and another ".join(others).removesuffix(",")
        raise SystemExit(f"sinenerf: {path}: is of a run with another {differ}. {ADVICE}")


def _other_settings(path: Path, state: dict[str, Any], pipeline: Any) -> list[str]:
    """The settings without which a network's numbers mean something else, where a checkpoint's run has others."""
    model, parser, beside = pipeline.model.config, pipeline.config.datamanager.dataparser, _config_beside(path)
    # anchored rows and gains follow from a sine's
    names = {"density_activation", *(("omega", "spread") if model.layer == "sine" else ())}
    others = _differing(beside, "pipeline.model", model, names)
    others |= _differing(beside, "pipeline.datamanager.dataparser", parser, set(vars(parser)) - HARMLESS)
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


def _config_beside(path: Path) -> Any:
    """The config.yml of a checkpoint's run as it is written, no object is made of it; None where there is none."""
    try:
        return yaml.compose((path.absolute().parents[1] / "config.yml").read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # a checkpoint may be moved away from its run
        return None


def _differing(config: Any, place: str, ours: Any, names: set[str]) -> dict[str, Any]:
    """What a part of a config.yml has otherwise: its kind, or else numbers and words of these names."""
    node = config
    for part in place.split("."):
        node = _entries(node).get(part)
    if node is None:
        return {}
    if (kind := node.tag.rpartition(".")[2]) != type(ours).__name__:
        return {place.rpartition(".")[2]: kind}
    there = {name: value for name, value in _entries(node).items() if isinstance(value, yaml.ScalarNode)}
    values = {name: yaml.constructor.SafeConstructor().construct_object(there[name]) for name in names & set(there)}
    return {name: value for name, value in values.items() if value != getattr(ours, name)}


def _entries(node: Any) -> dict[str, Any]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
