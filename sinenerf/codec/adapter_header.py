"""The header of a .sine file that holds a PEFT adapter. See docs/format.md. Needs no PEFT."""

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sinenerf.codec.container import ADAPTER, LARGEST_ADAPTER, LARGEST_HEADER, Container
from sinenerf.codec.entropy import CodecError

PEFT_TYPES = ("LORA", "SINE_LORA")
NAME = re.compile(r"\^?[\w.-]+")
"""PEFT treats some names as regular expressions. In these only `.` and a leading `^` are special: matching is quick."""
FACTOR = re.compile(r"(.*\.lora_(?:embedding_)?)A((?:\.weight)?)")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e30  # neither NaN nor infinite


def _is_rank(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


def _are_indices(value: Any) -> bool:
    return type(value) is int or (isinstance(value, list) and all(type(index) is int for index in value))


def _by_name(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(_is_name(n) and is_valid(v) for n, v in value.items())


FIELDS: dict[str, Callable[[Any], bool]] = {
    "peft_type": _is_text,
    "task_type": _is_text,
    "base_model_name_or_path": _is_text,
    "r": _is_rank,
    "lora_alpha": _is_number,
    "omega": _is_number,
    "gain": _is_number,
    "use_dora": _is_flag,
    "use_rslora": _is_flag,
    "lora_dropout": _is_number,
    "bias": lambda value: value in ("none", "all", "lora_only"),
    "fan_in_fan_out": _is_flag,
    "target_modules": _are_names,
    "exclude_modules": _are_names,
    "modules_to_save": _are_names,
    "layers_to_transform": _are_indices,
    "layers_pattern": lambda value: _is_name(value) or _are_names(value),
    "rank_pattern": _by_name(_is_rank),
    "alpha_pattern": _by_name(_is_number),
}
"""The fields of PEFT's configuration that a file may set, with a check of their values. PEFT's other fields can import
code or change the base model, and a regular expression can take exponential time."""
REQUIRED = ("r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "fan_in_fan_out", "bias")
"""Fields that every file sets, so that no default of PEFT's determines what its tensors mean."""
LARGEST_TENSORS = 2**14
"""Bound on the number of tensors."""
LARGEST_NAME = 512
"""Bound on the characters of a tensor's name."""
LARGEST_SIDES = 4
"""Bound on the sides of a tensor."""


@dataclass(frozen=True)
class AdapterHeader:
    """What a decoder must know besides the values of the tensors."""

    config: dict[str, Any]
    """Fields of PEFT's configuration; those that are null or empty are left out."""
    shapes: dict[str, tuple[int, ...]]
    """Shapes of the tensors by PEFT's names for them, in the order of the file."""

    def to_bytes(self) -> bytes:
        """The header as compressed JSON.

        Raises:
            CodecError: a field, a name, a shape or the number of tensors is out of the format's bounds.
        """
        content = {"config": self.config, "tensors": self.shapes}
        _check(content)
        text = json.dumps(content, separators=(",", ":")).encode()
        if len(text) > LARGEST_HEADER:
            raise CodecError(f"a header of {len(text):,} bytes is beyond the format's bound of {LARGEST_HEADER:,}")
        return zlib.compress(text, 9)


def read_header(container: Container) -> AdapterHeader:
    """The header of an opened file.

    Raises:
        CodecError: the file holds no adapter, or is damaged.
    """
    if container.kind != ADAPTER:
        raise CodecError("holds no adapter")
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(container.header, LARGEST_HEADER)
        content = json.loads(text.decode(), object_pairs_hook=_distinct)  # given bytes, json would accept UTF-16 too
    except (zlib.error, ValueError, RecursionError):
        raise CodecError("is damaged: its header cannot be read") from None
    if not unpacker.eof or unpacker.unused_data:
        raise CodecError("is damaged: its header does not end where it should")
    _check(content)
    return AdapterHeader(content["config"], {name: tuple(shape) for name, shape in content["tensors"].items()})


def ranks(shapes: Mapping[str, tuple[int, ...]]) -> list[int]:
    """The rank r of each adapted layer, from its factors A (r, ...) and B (m, r, ...).

    Raises:
        CodecError: a factor without its counterpart, or a rank above both sides of its layer.
    """
    found = []
    for match in filter(None, map(FACTOR.fullmatch, shapes)):
        a, b = shapes[match[0]], shapes.get(f"{match[1]}B{match[2]}", ())
        if len(a) < 2 or a[:1] != b[1:2]:
            raise CodecError(f"{match[0]!r} has no matching factor")
        m, n = b[0], math.prod(a[1:])
        if a[0] > max(m, n):
            raise CodecError(f"{match[0]!r} has a rank of {a[0]}, above both sides of its layer of {m} x {n}")
        found.append(a[0])
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raise ValueError where an object has a name twice: two readers could use different values."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name occurs twice")
    return content


def _check(content: Any) -> None:
    """Raise CodecError unless the header is complete and within the format's bounds."""
    if not isinstance(content, dict) or content.keys() != {"config", "tensors"}:
        raise CodecError("is damaged: its header has other parts")
    config, tensors = content["config"], content["tensors"]
    if not isinstance(config, dict) or not isinstance(tensors, dict):
        raise CodecError("is damaged: its header has other parts")
    unknown = sorted(set(config) - set(FIELDS))
    if unknown:
        raise CodecError(f"has a setting that the format does not have: {unknown[0]!r:.60}")
    if config.get("peft_type") not in PEFT_TYPES:
        given = f"{config.get('peft_type')!r:.60}"
        raise CodecError(f"has an adapter of type {given}: the format has {', '.join(PEFT_TYPES)}")
    for name, value in config.items():
        if not FIELDS[name](value):
            raise CodecError(f"has a setting that the format does not have: {name} {value!r:.60}")
    if not tensors:
        raise CodecError("holds an adapter without tensors")
    if len(tensors) > LARGEST_TENSORS:
        raise CodecError(f"{len(tensors):,} tensors are beyond the format's bound of {LARGEST_TENSORS:,}")
    for name, shape in tensors.items():
        if len(name) > LARGEST_NAME or not _is_shape(shape):
            raise CodecError(
                f"the tensor {name!r:.90} of shape {shape!r:.60} is out of bounds: a name has at most {LARGEST_NAME} "
                f"characters, a shape at most {LARGEST_SIDES} sides and {LARGEST_ADAPTER:,} values"
            )
    required = (*REQUIRED, "omega") if config["peft_type"] == "SINE_LORA" else REQUIRED
    missing = [name for name in required if name not in config]
    if missing:
        raise CodecError(f"is damaged: its header lacks {', '.join(missing)}")


def _is_shape(shape: Any) -> bool:
    if not isinstance(shape, list | tuple) or len(shape) > LARGEST_SIDES:
        return False
    return all(type(side) is int and side >= 1 for side in shape) and math.prod(shape) <= LARGEST_ADAPTER
