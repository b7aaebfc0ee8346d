"""Which checkpoint a run resumes from, whether its settings allow that, and for how many steps."""

import math
from pathlib import Path
from typing import Any

import torch
import yaml

from sinenerf.common.console import say
from sinenerf.plugin.edge import RunError

NETWORK = "_model.field."
"""Prefix of the tensors of a run's networks in its state dict."""
MAY_DIFFER = {"_target", "data", "downscale_factor", "widest", "strict"}
"""Settings of a data parser that may change on resuming: where the photographs lie, and how large they are."""
ADVICE = "Give its settings, those in its config.yml"


def latest_valid_step(folder: Path) -> int:
    """The step of the newest readable checkpoint in a folder. Unreadable files are skipped with a message.

    Raises:
        RunError: the folder has no readable checkpoint.
    """
    for path in sorted(folder.glob("step-*.ckpt"), reverse=True):
        try:
            return int(torch.load(path, map_location="cpu", weights_only=True)["step"])
        except Exception as error:  # torch raises many kinds for a broken file
            say(f"{path} is skipped: it cannot be read ({type(error).__name__})")
    raise RunError(f"{folder}: no checkpoint that can be read. Give the folder nerfstudio_models of a run")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint that `SineTrainer.save_checkpoint` wrote, with its tensors on the CPU.

    Raises:
        RunError: the file does not exist, is damaged, or is not a checkpoint of this trainer.
    """
    if not path.is_file():
        existing = ", ".join(other.name for other in sorted(path.parent.glob("step-*.ckpt"))) or "none"
        raise RunError(f"{path}: no such checkpoint. Existing ones: {existing}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if missing := {"step", "begin", "end", "pipeline", "optimizers", "schedulers", "scalers"} - set(state):
            raise KeyError(*missing)
    except Exception as error:  # torch raises many kinds for a broken file
        raise RunError(
            f"{path}: is damaged, or not a checkpoint of a run ({type(error).__name__}). Give another one"
        ) from None
    return state


def first_counted_step(state: dict[str, Any], steps: int) -> int:
    """The step from which a resumed run counts its `steps`.

    A run that was stopped counts from its first step, so that with the same settings it ends at the same step as
    without the interruption. A run that had ended, or has already made that many steps, makes `steps` more.
    """
    start, begin = state["step"] + 1, state["begin"]
    ended = start >= state["end"]
    return start if ended or begin + steps <= start else begin


def check_same_settings(path: Path, state: dict[str, Any], pipeline: Any, optimizer: torch.optim.Optimizer) -> None:
    """Refuse to resume from a checkpoint of a run with other settings: its state dicts would silently replace the
    optimiser's settings, omega and gain, or fail to load with a message of many lines.

    Args:
        path: file of the checkpoint.
        state: contents of the checkpoint.

    Raises:
        RunError: naming the settings that differ.
    """
    saved_shapes, shapes = (
        {name: getattr(values, "shape", None) for name, values in part.items() if name.startswith(NETWORK)}
        for part in (state["pipeline"], pipeline.state_dict())
    )
    if saved_shapes != shapes:
        raise RunError(
            f"{path}: is of a run with another network (layer, rank, width, depth or similar settings, or bits in only "
            f"one of the runs). {ADVICE}"
        )
    saved, ours = state["optimizers"]["fields"]["param_groups"][0], optimizer.param_groups[0]
    # only SOAP's groups have this setting; other keys come and go with the versions of torch
    saved_soap, soap = ("precondition_frequency" in group for group in (saved, ours))
    others = ["optimizer"] if saved_soap != soap else []
    if len(saved["params"]) != len(ours["params"]):
        others.append("learn-omega or learn-gain")
    others += _other_settings(path, state["pipeline"], pipeline)
    if not others and _other_shapes(state["pipeline"], pipeline.state_dict()):  # of exposures, or corrections of poses
        others.append("number of photographs")
    if others:
        differ = " and another ".join(others).removesuffix(",")
        raise RunError(f"{path}: is of a run with another {differ}. {ADVICE}")


def _other_shapes(saved: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether a tensor of both state dicts has another shape."""
    shapes = {name: getattr(values, "shape", None) for name, values in saved.items()}
    return any(name in ours and getattr(ours[name], "shape", None) != shape for name, shape in shapes.items())


def _other_settings(path: Path, state: dict[str, Any], pipeline: Any) -> list[str]:
    """The settings that change the meaning of the parameters and differ between a checkpoint's run and the pipeline."""
    model, parser, config = pipeline.model.config, pipeline.config.datamanager.dataparser, _config_beside(path)
    names = {"density_activation", "background_color", "exposure", "refine_poses"}
    # anchored rows and gains follow from a sine's omega, spread and init
    names |= {"omega", "spread", "init"} if model.layer == "sine" else set()
    others = _differing(config, "pipeline.model", model, names)
    others |= _differing(config, "pipeline.datamanager.dataparser", parser, set(vars(parser)) - MAY_DIFFER)
    # these are in the checkpoint itself, even if it was moved away from its config.yml
    if (omega := _changed_constant(state, pipeline, "omega")) is not None:
        others["omega"] = omega
    if _changed_constant(state, pipeline, "gain") is not None and "init" not in others:
        others.setdefault("spread", None)
    return [
        name.replace("_", "-") + ("" if value is None else f", which is {_shown(value)} in that run,")
        for name, value in sorted(others.items())
    ]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _changed_constant(state: dict[str, Any], pipeline: Any, constant: str) -> float | None:
    """A checkpoint's value of a constant in the first layer where it differs from the pipeline's; None if none does."""
    for name, ours in pipeline.named_buffers():
        saved = state.get(name, ours)
        if name.endswith(f".{constant}") and not math.isclose(saved, ours, rel_tol=1e-5):
            return float(saved)
    return None


def _config_beside(path: Path) -> Any:
    """The YAML nodes of the config.yml of a checkpoint's run, without building any object; None if there is no file."""
    try:
        return yaml.compose((path.absolute().parents[1] / "config.yml").read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # a checkpoint may have been moved away from its run
        return None


def _differing(config: Any, place: str, ours: Any, names: set[str]) -> dict[str, Any]:
    """The scalar settings that differ in one part of a config.yml, among `names`; or, if its class differs, only that.

    Args:
        config: YAML nodes.
        place: dotted path of the part.
        ours: the settings to compare with.
    """
    node = config
    for part in place.split("."):
        node = _entries(node).get(part)
    if node is None:
        return {}
    if (kind := node.tag.rpartition(".")[2]) != type(ours).__name__:
        return {place.rpartition(".")[2]: kind}
    scalars = {name: value for name, value in _entries(node).items() if isinstance(value, yaml.ScalarNode)}
    values = {name: yaml.constructor.SafeConstructor().construct_object(scalars[name]) for name in names & set(scalars)}
    return {name: value for name, value in values.items() if value != getattr(ours, name)}


def _entries(node: Any) -> dict[str, Any]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
