"""A PEFT adapter, LoRA or sine-LoRA, as a .sine file: its numbers rounded and entropy-coded, every byte counted."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import nn

from sinenerf.adapter_file import FIELDS, AdapterHeader, read_header
from sinenerf.codec.container import ADAPTER, Container, pack
from sinenerf.codec.entropy import LARGEST, CodecError
from sinenerf.codec.table import Coded, Stored, values_of
from sinenerf.files import replacing

IGNORED = ("inference_mode", "peft_version", "auto_mapping", "revision", "init_lora_weights", "runtime_config")
"""Fields that say how an adapter came about, not what it is."""


def save_adapter(model: PeftModel, path: str | Path, bits: float = 8.0, adapter_name: str = "default") -> int:
    """Write an adapter, whole or not at all. Returns the bytes of the file.

    Args:
        bits: a Gaussian number's; each tensor is rounded to multiples of a step of its own. 32 keeps float32.

    Raises:
        ValueError: no such adapter; bits outside 1 to 14 and not 32; an adapter that the format does not have.
        OSError: the folder is not there, or the disk is full.
    """
    if adapter_name not in model.peft_config:
        raise ValueError(f"the model has no adapter {adapter_name!r}, only {', '.join(model.peft_config)}")
    if not (1 <= bits <= 14 or bits == 32):
        raise ValueError(f"bits is {bits}: choose 1 to 14, or 32 for float32")
    state = get_peft_model_state_dict(model, adapter_name=adapter_name)
    values = {name: value.detach().float().cpu().numpy() for name, value in state.items()}
    header = AdapterHeader(_settings(model.peft_config[adapter_name]), {n: v.shape for n, v in values.items()})
    data = pack(ADAPTER, header.to_bytes(), [v if bits == 32 else _rounded(v, bits) for v in values.values()])
    Container.parse(data).sizes(list(header.shapes.values()))  # what could not be read is not written
    with replacing(Path(path)) as partial:
        partial.write_bytes(data)
    return len(data)


def load_adapter(model: nn.Module, path: str | Path, adapter_name: str = "default") -> PeftModel:
    """Put an adapter from a .sine file on a model, or a further one on a PEFT model. Nothing in it is executed.

    Raises:
        FileNotFoundError: no such file.
        CodecError: a ValueError: no adapter's .sine file, damaged, or the adapter of another model.
    """
    container = Container.open(Path(path))
    try:
        header = read_header(container)
        tensors = container.tensors(list(header.shapes.values()))
        config = PEFT_TYPE_TO_CONFIG_MAPPING[header.config["peft_type"]](**header.config)
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None
    except (TypeError, ValueError) as error:
        raise CodecError(f"{path}: its settings are none of PEFT's: {error}") from None
    config.inference_mode = True
    further = isinstance(model, PeftModel)
    if isinstance(model, PeftModel):
        model.add_adapter(adapter_name, config)
    else:
        model = get_peft_model(model, config, adapter_name)
    expected = {n: tuple(v.shape) for n, v in get_peft_model_state_dict(model, adapter_name=adapter_name).items()}
    if expected != header.shapes:
        undo: Any = model
        if further:
            undo.delete_adapter(adapter_name)
        else:
            undo.unload()
        wrong = sorted(set(expected.items()) ^ set(header.shapes.items()))[0][0]
        raise CodecError(f"{path}: is the adapter of another model: {wrong} does not fit")
    state = {n: torch.from_numpy(values_of(t).copy()) for n, t in zip(header.shapes, tensors, strict=True)}
    set_peft_model_state_dict(model, state, adapter_name=adapter_name)
    return model


def _settings(config: Any) -> dict[str, Any]:
    """A configuration's fields that are not at their defaults, as JSON has them."""
    default = type(config)()
    settings: dict[str, Any] = {"peft_type": str(getattr(config.peft_type, "value", config.peft_type))}
    for name in (field.name for field in fields(config)):
        value = getattr(config, name)
        if name in IGNORED or value == getattr(default, name):
            continue
        if name not in FIELDS:
            raise ValueError(f"the .sine file has no place for the setting {name}: {value!r}")
        settings[name] = sorted(value) if isinstance(value, set) else getattr(value, "value", value)
    return settings


def _rounded(values: np.ndarray, bits: float) -> Stored:
    """Multiples of a step, at which a Gaussian of the values' size takes so many bits a number."""
    size = float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))
    step = max(size * math.sqrt(2 * math.pi * math.e) / 2**bits, float(np.abs(values).max()) / (LARGEST - 64))
    exact = float(torch.tensor(step or 1.0).bfloat16())
    return Coded(np.rint(values / np.float32(exact)).astype(np.int64), exact)
