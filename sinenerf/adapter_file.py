"""A PEFT adapter as a .sine file: its header. See docs/format.md. Needs neither PEFT nor torch."""

import json
import math
import zlib
from dataclasses import dataclass
from typing import Any

from sinenerf.codec.container import ADAPTER, LARGEST_ADAPTER, LARGEST_HEADER, Container
from sinenerf.codec.entropy import CodecError

PEFT_TYPES = ("LORA", "SINE_LORA")
FIELDS = (
    "peft_type",
    "task_type",
    "base_model_name_or_path",
    "r",
    "lora_alpha",
    "omega",
    "gain",
    "use_dora",
    "use_rslora",
    "lora_dropout",
    "bias",
    "fan_in_fan_out",
    "target_modules",
    "exclude_modules",
    "modules_to_save",
    "layers_to_transform",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
)
"""Of PEFT's configuration: those that a file may set. Others can have code imported, or change the base model."""
LARGEST_TENSORS = 2**14
LARGEST_NAME = 512


@dataclass(frozen=True)
class AdapterHeader:
    """What a decoder must know besides the numbers."""

    config: dict[str, Any]
    """Fields of PEFT's configuration, those at their defaults left out."""
    shapes: dict[str, tuple[int, ...]]
    """Of the tensors, by PEFT's names for them, in the file's order."""

    def to_bytes(self) -> bytes:
        """Compressed JSON.

        Raises:
            CodecError: a field, a name or a shape that the format does not have.
        """
        content = {"config": self.config, "tensors": self.shapes}
        _check(content)
        return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)


def read_header(container: Container) -> AdapterHeader:
    """The header of a file that was opened.

    Raises:
        CodecError: it holds no adapter, or is damaged.
    """
    if container.kind != ADAPTER:
        raise CodecError("holds no adapter")
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(container.header, LARGEST_HEADER)
        content = json.loads(text)
    except (zlib.error, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise CodecError("is damaged: its header cannot be read") from None
    if not unpacker.eof or unpacker.unused_data:
        raise CodecError("is damaged: its header has another length")
    _check(content)
    return AdapterHeader(content["config"], {name: tuple(shape) for name, shape in content["tensors"].items()})


def _check(content: Any) -> None:
    """Raise CodecError unless a header is within the format's bounds."""
    if not isinstance(content, dict) or content.keys() != {"config", "tensors"}:
        raise CodecError("is damaged: its header has other parts")
    config, tensors = content["config"], content["tensors"]
    if not isinstance(config, dict) or not isinstance(tensors, dict):
        raise CodecError("is damaged: its header has other parts")
    unknown = sorted(set(config) - set(FIELDS))
    if unknown:
        raise CodecError(f"has a setting that the format does not have: {', '.join(unknown)}")
    if config.get("peft_type") not in PEFT_TYPES:
        raise CodecError(f"has an adapter of type {config.get('peft_type')!r}: the format has {', '.join(PEFT_TYPES)}")
    if len(tensors) > LARGEST_TENSORS or not all(len(n) <= LARGEST_NAME and _is_shape(s) for n, s in tensors.items()):
        raise CodecError("is damaged: its tensors are out of bounds")


def _is_shape(shape: Any) -> bool:
    sides = (
        isinstance(shape, list | tuple) and len(shape) <= 4 and all(type(side) is int and side >= 1 for side in shape)
    )
    return sides and math.prod(shape) <= LARGEST_ADAPTER
