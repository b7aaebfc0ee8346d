"""A PEFT adapter, LoRA or sine-LoRA, as a .sine file: its numbers rounded and entropy-coded, every byte counted."""

import math
from copy import copy, deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import Tensor, nn

from sinenerf.adapters.dry_run import snapshot, weightless
from sinenerf.codec.adapter_header import FIELDS, AdapterHeader, ranks, read_header
from sinenerf.codec.container import ADAPTER, Container, pack
from sinenerf.codec.entropy import LARGEST, CodecError
from sinenerf.codec.tensors import QuantisedTensor, StoredTensor, values_of
from sinenerf.common.files import replacing

IGNORED = ("inference_mode", "peft_version", "auto_mapping", "revision", "init_lora_weights", "runtime_config")
"""Fields that say how an adapter came about, not what it is."""
STARTS = ("gaussian", "eva", "orthogonal", "mica")
"""Of PEFT's named `init_lora_weights`: those that leave the base model as it is. The others move a part of it into the
adapter, so that the adapter says nothing without what remains."""
Shapes = dict[str, tuple[int, ...]]


def save_adapter(model: PeftModel, path: str | Path, bits: float = 8.0, adapter_name: str = "default") -> int:
    """Write an adapter, whole or not at all. Returns the bytes of the file.

    Args:
        bits: a Gaussian number's; each tensor is rounded to multiples of a step of its own. 32 keeps float32.

    Raises:
        ValueError: no such adapter; bits outside 1 to 14 and not 32; an adapter that the format does not have, or that
            changed the base model at its start (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA).
        OSError: the folder is not there, or the disk is full.
    """
    if adapter_name not in model.peft_config:
        raise ValueError(f"the model has no adapter {adapter_name!r}, only {', '.join(model.peft_config)}")
    if not (1 <= bits <= 14 or bits == 32):
        raise ValueError(f"bits is {bits}: choose 1 to 14, or 32 for float32")
    config = model.peft_config[adapter_name]
    _check_kind(config)
    values = {name: value.detach().float().cpu().numpy() for name, value in _state(model, adapter_name).items()}
    shapes: Shapes = {name: value.shape for name, value in values.items()}
    header = AdapterHeader(_settings(_plain(config, shapes)), shapes)
    data = pack(ADAPTER, header.to_bytes(), [v if bits == 32 else _rounded(v, bits) for v in values.values()])
    Container.parse(data).tensors(list(header.shapes.values()))  # what could not be read is not written
    with replacing(Path(path)) as partial:
        partial.write_bytes(data)
    return len(data)


def load_adapter(model: nn.Module, path: str | Path, adapter_name: str = "default") -> PeftModel:
    """Put an adapter from a .sine file on a model, or a further one on a PEFT model. Nothing in it is executed.

    Raises:
        FileNotFoundError: no such file.
        CodecError: a ValueError: no adapter's .sine file, damaged, the adapter of another model, or one that PEFT
            refuses to put on this one.
    """
    header, tensors, config = _read(Path(path))
    restore = snapshot(model)
    try:
        _try(model, config, adapter_name, header.shapes)
        restore()
        made = _put(model, config, adapter_name)
        state = {n: torch.from_numpy(values_of(t).copy()) for n, t in zip(header.shapes, tensors, strict=True)}
        set_peft_model_state_dict(made, state, adapter_name=adapter_name)
    except CodecError as error:
        restore()
        raise CodecError(f"{path}: {error}") from None
    except BaseException:
        restore()
        raise
    return made


def _read(path: Path) -> tuple[AdapterHeader, list[StoredTensor], Any]:
    """Header, tensors and PEFT's configuration. Raises CodecError, which names the file, as `load_adapter`."""
    container = Container.open(path)
    try:
        header = read_header(container)
        tensors = container.tensors(list(header.shapes.values()))
        config = PEFT_TYPE_TO_CONFIG_MAPPING[header.config["peft_type"]](**header.config)
        _check_ranks(config, header.shapes)
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None
    except (TypeError, ValueError) as error:
        raise CodecError(f"{path}: its settings are none of PEFT's: {error}") from None
    config.inference_mode = True
    return header, tensors, config


def _put(model: nn.Module, config: Any, adapter_name: str) -> PeftModel:
    """An adapter on a model, whose layers PEFT replaces, or a further one on a PEFT model."""
    if isinstance(model, PeftModel):
        model.add_adapter(adapter_name, config)
        return model
    return get_peft_model(model, config, adapter_name)


def _try(model: nn.Module, config: Any, adapter_name: str, shapes: Shapes) -> None:
    """Put an adapter without numbers on a model. Raises CodecError if PEFT refuses it, or has other tensors."""
    try:
        with weightless():
            made = _put(model, deepcopy(config), adapter_name)  # PEFT changes the configuration, too
    except (AttributeError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())  # PEFT shows modules, in many lines
        raise CodecError(f"cannot be put on this model: {said}") from None
    expected = {name: tuple(value.shape) for name, value in _state(made, adapter_name).items()}
    if expected != shapes:
        wrong = sorted(set(expected.items()) ^ set(shapes.items()))[0][0]
        raise CodecError(f"is the adapter of another model: {wrong!r} does not fit")


def _state(model: PeftModel, adapter_name: str) -> dict[str, Tensor]:
    """An adapter's own tensors. By default PEFT would add the base model's matrix where an embedding is adapted."""
    return get_peft_model_state_dict(model, adapter_name=adapter_name, save_embedding_layers=False)


def _check_kind(config: Any) -> None:
    """Raise ValueError unless an adapter of these settings can be written."""
    if not isinstance(config, LoraConfig):
        raise ValueError(f"a .sine file holds LoRA or sine-LoRA, not {type(config).__name__.removesuffix('Config')}")
    start = config.init_lora_weights
    if isinstance(start, str) and start.lower() not in STARTS:
        raise ValueError(
            f"init_lora_weights={start!r} changed the base model, which a .sine file does not hold: merge the adapter, "
            f"or start with True, False or {', '.join(STARTS)}"
        )


def _check_ranks(config: Any, shapes: Shapes) -> None:
    """Raise CodecError where PEFT would make a layer wider than any that the file holds."""
    largest = max(ranks(shapes), default=0)
    given = max([config.r, *config.rank_pattern.values()])
    if given > largest:
        raise CodecError(f"is damaged: its settings have a rank of {given}, its tensors of {largest} at most")


def _plain(config: Any, shapes: Shapes) -> Any:
    """A configuration of the same layers without what a reader refuses: regular expressions, ranks of no layer."""
    made = copy(config)
    if isinstance(config.target_modules, str) or isinstance(config.exclude_modules, str):
        adapted = {name.partition(".lora_")[0] for name in shapes if ".lora_" in name}
        made.target_modules = {name.removeprefix("base_model.model.") for name in adapted}
        made.exclude_modules = None
    largest = max(ranks(shapes), default=config.r)
    made.r = min(config.r, largest)
    made.rank_pattern = {name: rank for name, rank in config.rank_pattern.items() if rank <= largest}
    return made


def _settings(config: Any) -> dict[str, Any]:
    """A configuration's fields as JSON has them, without what is null or empty."""
    default = type(config)()
    settings: dict[str, Any] = {"peft_type": str(getattr(config.peft_type, "value", config.peft_type))}
    for name in (field.name for field in fields(config) if field.name not in IGNORED):
        value = getattr(config, name)
        if name in FIELDS and value not in (None, {}):
            settings[name] = sorted(value) if isinstance(value, set | tuple) else getattr(value, "value", value)
        elif name not in FIELDS and value != getattr(default, name):
            raise ValueError(f"the .sine file has no place for the setting {name}: {value!r}")
    return settings


def _rounded(values: np.ndarray, bits: float) -> StoredTensor:
    """Multiples of a step, at which a Gaussian of the values' size takes so many bits a number."""
    size = float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))
    step = max(size * math.sqrt(2 * math.pi * math.e) / 2**bits, float(np.abs(values).max()) / (LARGEST - 64))
    exact = float(torch.tensor(step or 1.0).bfloat16())
    return QuantisedTensor(np.rint(values / np.float32(exact)).astype(np.int64), exact)
