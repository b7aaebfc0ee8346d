"""Loading an adapter from a .sine file into a model."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model, set_peft_model_state_dict
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import nn

from sinenerf.adapters.dry_run import snapshot, weightless
from sinenerf.adapters.saving import Shapes, adapter_state
from sinenerf.codec.adapter_header import AdapterHeader, ranks, read_header
from sinenerf.codec.container import Container, read
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.tensors import StoredTensor, values_of

MOST_NAMES = 512
"""Names in a setting that any adapter may have: as many regular expressions as Python keeps."""


def load_adapter(model: nn.Module, path: str | Path, adapter_name: str = "default") -> PeftModel:
    """Add the adapter in a .sine file to a model, or to a PEFT model that has others. Nothing in it is executed.

    If loading fails, the model is left as it was.

    Raises:
        FileNotFoundError: no such file.
        CodecError: a ValueError: not the .sine file of an adapter, damaged, the adapter of another model, or one that
            PEFT refuses to add to this model.
    """
    header, tensors, config = read(Path(path), _interpret)
    restore = snapshot(model)
    try:
        _check_fit(model, config, adapter_name, header.shapes)
        restore()
        adapted = _add_adapter(model, config, adapter_name)
        state = {n: torch.from_numpy(values_of(t).copy()) for n, t in zip(header.shapes, tensors, strict=True)}
        set_peft_model_state_dict(adapted, state, adapter_name=adapter_name)
    except CodecError as error:
        restore()
        raise CodecError(f"{path}: {error}") from None
    except BaseException:
        restore()
        raise
    return adapted


def _interpret(container: Container) -> tuple[AdapterHeader, list[StoredTensor], Any]:
    """Header, tensors and PEFT's configuration. Raises CodecError."""
    header = read_header(container)
    tensors = container.tensors(list(header.shapes.values()))
    try:
        config = PEFT_TYPE_TO_CONFIG_MAPPING[header.config["peft_type"]](**header.config)
    except (TypeError, ValueError) as error:
        raise CodecError(f"PEFT does not accept its settings: {error}") from None
    _check_names(config, header.shapes)
    _check_ranks(config, header.shapes)
    config.inference_mode = True
    return header, tensors, config


def _add_adapter(model: nn.Module, config: Any, adapter_name: str) -> PeftModel:
    """Add a new adapter to a model, whose layers PEFT replaces, or to a PEFT model that has others."""
    if isinstance(model, PeftModel):
        model.add_adapter(adapter_name, config)
        return model
    return get_peft_model(model, config, adapter_name)


def _check_fit(model: nn.Module, config: Any, adapter_name: str, shapes: Shapes) -> None:
    """Add an adapter without values to a model. Raises CodecError if PEFT refuses it or its tensors differ."""
    try:
        with weightless():
            adapted = _add_adapter(model, deepcopy(config), adapter_name)  # PEFT changes the configuration too
    except (AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())  # PEFT prints modules, on many lines
        raise CodecError(f"cannot be put on this model: {reason}") from None
    expected = {name: tuple(value.shape) for name, value in adapter_state(adapted, adapter_name).items()}
    if expected != shapes:
        differing = sorted(set(expected.items()) ^ set(shapes.items()))[0][0]
        raise CodecError(f"is the adapter of another model: {differing!r} does not fit")


def _check_names(config: Any, shapes: Shapes) -> None:
    """Raise CodecError for more names than an adapter of these tensors needs. PEFT compiles a regular expression for
    each name and module."""
    for field in ("rank_pattern", "alpha_pattern", "modules_to_save"):
        count = len(getattr(config, field) or ())
        if count > max(MOST_NAMES, len(shapes)):
            raise CodecError(f"is damaged: its {field} has {count:,} names, for {len(shapes):,} tensors")


def _check_ranks(config: Any, shapes: Shapes) -> None:
    """Raise CodecError where PEFT would make a layer of a higher rank than any in the file."""
    largest = max(ranks(shapes), default=0)
    highest = max([config.r, *config.rank_pattern.values()])
    if highest > largest:
        raise CodecError(f"is damaged: its settings have a rank of {highest}, its tensors of {largest} at most")
