"""Settings as dataclass fields that carry their bounds and their place in a .sine header. Needs no torch.

    @dataclass
    class Config:
        depth: int = setting(8, positive=True, stored=Stored(32, 8, (1, 16)))
        \"\"\"Hidden layers.\"\"\"

The class is the only declaration of a setting: its type gives its choices, `check` enforces type and bounds,
`sinenerf.codec.stored_settings` packs and unpacks what is stored, and tyro makes the command line from it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from sinenerf.common.checks import check_choice, check_positive

LayerKind = Literal["sine", "low-rank", "dense"]
"""sin(omega U V^T) / g, U V^T, or a full matrix: `sinenerf.layers`."""
LayerChoice = LayerKind | Literal["auto"]
"""A layer, or the best that is known for the file's size."""
InitKind = Literal["spread", "paper"]
"""How a sine layer starts: with phases of a given spread, or as in the paper. `sinenerf.layers.SineLowRankLinear`."""
Role = Literal["input", "hidden", "head"]
"""Position of a layer in a network: the first of a trunk, the others of it, and the layers after the trunk."""
Activation = Literal["relu", "gaussian", "sine"]
"""The function between two layers: `sinenerf.activations`."""
OptimizerKind = Literal["adam", "soap"]
"""`sinenerf.common.optimization.make_optimizer`."""
Loss = Literal["cross-entropy", "mse"]
"""Loss of the sigmoid of a network's output against a label."""
MirrorChoice = Literal["auto", "always", "never"]
"""Whether a shape is fitted by one half and its mirror image. `sinenerf.occupancy.symmetry`."""
Clock = Literal["wall", "processor"]
"""What a training budget is counted in: time as it passes, or processor time. `sinenerf.common.training_clock`."""
Precision = Literal["auto", "float32", "bfloat16"]
"""Number format of matrix products. auto: `sinenerf.common.hardware.multiplies_bfloat16` decides."""


@dataclass(frozen=True)
class Stored:
    """Where the header of a .sine file holds a setting, and which values it can hold.

    How a value is coded follows from the field's type: a whole number as itself, a float as float32, a bool as one bit,
    a choice as its index in the Literal, and a tuple as a set with one bit for each choice or each whole number.
    """

    bit: int
    """First bit. Bits are counted from the least significant one of the header's first byte."""
    bits: int
    """Number of bits."""
    bounds: tuple[float, float] | None = None
    """Smallest and largest number in a file; None for bools, choices and tuples."""


@dataclass(frozen=True)
class StoredNumber:
    """A setting that a header holds as a number of one byte or more, wherever it has its place."""

    bounds: tuple[float, float]
    """Smallest and largest number in a file."""
    parts: int = 1
    """A number that is a multiple of 1 / parts, as most are, takes fewer bytes."""


def setting(
    default: Any,
    *,
    positive: bool = False,
    at_least: int | None = None,
    stored: Stored | StoredNumber | None = None,
    chosen_for_size: bool = False,
) -> Any:
    """A dataclass field that declares a setting.

    Args:
        positive: the value must be above 0.
        at_least: smallest value of a number, or of each one in a tuple.
        stored: place in the file's header; None where no decoder needs the setting.
        chosen_for_size: if the file's size is given and the setting is not, a value is chosen that suits the size.
    """
    metadata = {"positive": positive, "at_least": at_least, "stored": stored, "chosen_for_size": chosen_for_size}
    return field(default=default, metadata=metadata)


def stored_fields(config: Any) -> list[tuple[Field, Stored | StoredNumber]]:
    """The fields of a dataclass, or of its type, that a header stores, and how."""
    return [(f, f.metadata["stored"]) for f in fields(config) if f.metadata.get("stored") is not None]


def fields_in_bits(config: Any) -> list[tuple[Field, Stored]]:
    """Those of the stored fields that have their place in bits."""
    return [(f, stored) for f, stored in stored_fields(config) if isinstance(stored, Stored)]


def number_fields(config: Any) -> list[tuple[Field, StoredNumber]]:
    """Those that are numbers of one byte or more."""
    return [(f, stored) for f, stored in stored_fields(config) if isinstance(stored, StoredNumber)]


def check(config: Any) -> None:
    """Raise ValueError, naming the setting, unless each field of a dataclass has its type and is within its bounds."""
    for f in fields(config):
        _check_value(f.name, f.type, f.metadata, getattr(config, f.name))


def _check_value(name: str, kind: Any, bounds: Mapping[str, Any], value: Any) -> None:
    origin, of = get_origin(kind), get_args(kind)
    if origin is UnionType:  # X | None
        if value is not None:
            _check_value(name, of[0], bounds, value)
    elif origin is Literal:
        check_choice(name, value, kind)
    elif origin is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ValueError(f"{name} is {value}: it must be a list")
        for item in value:
            _check_value(f"entry of {name}", of[0], bounds, item)
    elif kind is bool:
        if value not in (True, False):
            raise ValueError(f"{name} is {value}: it must be true or false")
    else:
        _check_number(name, kind, bounds, value)


def _check_number(name: str, kind: Any, bounds: Mapping[str, Any], value: Any) -> None:
    fits = isinstance(value, Integral if kind is int else Real)  # TOML reads 4e3 as a float
    if not fits:
        raise ValueError(f"{name} is {value}: it must be a {'whole ' if kind is int else ''}number")
    if bounds.get("positive"):
        check_positive(name, value)
    at_least = bounds.get("at_least")
    if at_least is not None and not at_least <= value < math.inf:
        raise ValueError(f"{name} is {value}: it must be {at_least} or more{'' if kind is int else ', and finite'}")
