"""Saving a PEFT adapter, LoRA or sine-LoRA, as a .sine file: its values are quantised and entropy-coded."""

from copy import copy
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from torch import Tensor

from sinenerf.codec.adapter_header import FIELDS, AdapterHeader, ranks
from sinenerf.codec.container import ADAPTER, Container, pack
from sinenerf.codec.entropy import LARGEST
from sinenerf.codec.tensors import GAUSSIAN_WIDTH, LARGEST_STEP, QuantisedTensor, StoredTensor, nearest_step
from sinenerf.common.files import replacing

IGNORED = (
    "inference_mode",
    "peft_version",
    "auto_mapping",
    "revision",
    "init_lora_weights",
    "eva_config",
    "runtime_config",
)
"""Fields that describe how an adapter was made, not what it is."""
INITIALISATIONS = ("gaussian", "eva", "orthogonal", "mica")
"""PEFT's named `init_lora_weights` that leave the base model unchanged. The others move a part of its weights into the
adapter, which is then useless with the original base model."""
VECTOR_BITS = 14
"""Least bits per value of vectors (DoRA's magnitudes, biases, a norm's weights), unlike those of matrices the base
model's own values plus a change: rounded to few bits, they would change the model more than the adapter does."""
Shapes = dict[str, tuple[int, ...]]


def save_adapter(model: PeftModel, path: str | Path, bits: float = 8.0, adapter_name: str = "default") -> int:
    """Write an adapter, whole or not at all. Returns the size of the file in bytes.

    Args:
        bits: bits per value of a matrix if its values are Gaussian; each tensor is rounded to multiples of its own
            step. Scalars and vectors, such as DoRA's magnitudes and biases, get 14. 32 keeps float32, as tensors of
            whole numbers are kept.

    Raises:
        ValueError: no such adapter; bits neither from 1 to 14 nor 32; a value is not finite; the format cannot hold
            the adapter; or the adapter changed the base model when it was initialised (PiSSA, OLoRA, CorDA, LoftQ,
            LoRA-GA).
        OSError: the folder does not exist, or the disk is full.
    """
    if adapter_name not in model.peft_config:
        raise ValueError(f"the model has no adapter {adapter_name!r}, only {', '.join(model.peft_config)}")
    if not (1 <= bits <= 14 or bits == 32):
        raise ValueError(f"bits is {bits}: choose 1 to 14, or 32 for float32")
    config = model.peft_config[adapter_name]
    _check_kind(config)
    state = adapter_state(model, adapter_name)
    values = {name: value.detach().float().cpu().numpy() for name, value in state.items()}
    if broken := [name for name, value in values.items() if not np.isfinite(value).all()]:
        raise ValueError(f"{broken[0]}: holds values that are not finite. Save the adapter as it was before they arose")
    shapes: Shapes = {name: value.shape for name, value in values.items()}
    header = AdapterHeader(_settings(_portable(config, shapes)), shapes)
    exact = {name for name, value in state.items() if bits == 32 or not value.is_floating_point()}  # such as indices
    tensors = [value if name in exact else _quantise(name, value, bits) for name, value in values.items()]
    data = pack(ADAPTER, header.to_bytes(), tensors)
    Container.parse(data).tensors(list(header.shapes.values()))  # nothing is written that could not be read
    with replacing(Path(path)) as partial:
        partial.write_bytes(data)
    return len(data)


def adapter_state(model: PeftModel, adapter_name: str) -> dict[str, Tensor]:
    """The adapter's own tensors. By default PEFT would add the base model's weight where an embedding is adapted."""
    return get_peft_model_state_dict(model, adapter_name=adapter_name, save_embedding_layers=False)


def _check_kind(config: Any) -> None:
    """Raise ValueError unless an adapter with these settings can be written."""
    if not isinstance(config, LoraConfig):
        raise ValueError(f"a .sine file holds LoRA or sine-LoRA, not {type(config).__name__.removesuffix('Config')}")
    initialisation = config.init_lora_weights
    if isinstance(initialisation, str) and initialisation.lower() not in INITIALISATIONS:
        raise ValueError(
            f"init_lora_weights={initialisation!r} changed the base model, which a .sine file does not hold: merge the "
            f"adapter, or start with True, False or {', '.join(INITIALISATIONS)}"
        )


def _portable(config: Any, shapes: Shapes) -> Any:
    """A configuration for the same layers without what readers refuse: regular expressions, and ranks of no layer."""
    portable = copy(config)
    if isinstance(config.target_modules, str) or isinstance(config.exclude_modules, str):
        adapted = {name.partition(".lora_")[0] for name in shapes if ".lora_" in name}
        portable.target_modules = {name.removeprefix("base_model.model.") for name in adapted}
        portable.exclude_modules = None
    largest = max(ranks(shapes), default=config.r)
    portable.r = min(config.r, largest)
    portable.rank_pattern = {name: rank for name, rank in config.rank_pattern.items() if rank <= largest}
    return portable


def _settings(config: Any) -> dict[str, Any]:
    """The fields of a configuration as JSON values, without those that are null or empty."""
    default = type(config)()
    settings: dict[str, Any] = {"peft_type": str(getattr(config.peft_type, "value", config.peft_type))}
    for name in (field.name for field in fields(config) if field.name not in IGNORED):
        value = getattr(config, name)
        if name in FIELDS and value not in (None, {}):
            settings[name] = sorted(value) if isinstance(value, set | tuple) else getattr(value, "value", value)
        elif name not in FIELDS and value != getattr(default, name):
            raise ValueError(f"a .sine file cannot hold the setting {name}: {value!r}")
    return settings


def _quantise(name: str, values: np.ndarray, bits: float) -> StoredTensor:
    """Round values to multiples of the step at which a Gaussian with their root mean square takes `bits` per value, or
    `VECTOR_BITS` if they are no matrix."""
    if values.ndim <= 1 or "lora_magnitude_vector" in name:  # a convolution's magnitudes have sides of 1
        bits = VECTOR_BITS
    deviation, largest = float(np.sqrt(np.mean(values.astype(np.float64) ** 2))), float(np.abs(values).max())
    step = max(deviation * GAUSSIAN_WIDTH / 2**bits, largest / (LARGEST - 64))
    if step > LARGEST_STEP:
        raise ValueError(
            f"{name}: holds values up to {largest:.3g}, too large to be rounded. Keep float32 with bits=32"
        )
    exact = float(nearest_step(torch.tensor(step)))
    return QuantisedTensor(np.rint(values / np.float32(exact)).astype(np.int64), exact)
