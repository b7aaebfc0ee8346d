"""Settings that declare their bounds."""

import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from sinenerf.common.settings import Stored, check, setting, stored_fields


@dataclass(frozen=True)
class Config:
    colour: Literal["red", "blue"] = setting("red", stored=Stored(0, 1))
    parts: tuple[Literal["top", "side"], ...] = setting(("top",))
    places: tuple[int, ...] = setting((0, 2), at_least=0)
    count: int = setting(3, positive=True, stored=Stored(1, 8, (1, 255)))
    shift: int = setting(0, at_least=-2)
    rate: float = setting(0.5, positive=True)
    share: float | None = setting(None, positive=True)
    smooth: bool = setting(False)


@pytest.mark.parametrize(
    "changes",
    [{}, {"colour": "blue", "count": 1, "shift": -2}, {"parts": [], "places": ()}, {"rate": 2, "share": 1e-9}],
)
def test_settings_within_bounds_pass(changes):
    check(replace(Config(), **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "green"}, "no colour is called 'green': choose red or blue"),
        ({"parts": ("top", "floor")}, "no entry of parts is called 'floor': choose top or side"),
        ({"parts": "top"}, "parts is top: it must be a list"),
        ({"places": 4}, "places is 4: it must be a list"),
        ({"places": (1, -1)}, "entry of places is -1: it must be 0 or more"),
        ({"places": (1.5,)}, "entry of places is 1.5: it must be a whole number"),
        ({"count": 0}, "count is 0: it must be positive and finite"),
        ({"count": 4e3}, "count is 4000.0: it must be a whole number"),
        ({"count": None}, "count is None: it must be a whole number"),
        ({"shift": -3}, "shift is -3: it must be -2 or more"),
        ({"rate": 0.0}, "rate is 0.0: it must be positive and finite"),
        ({"rate": float("nan")}, "rate is nan: it must be positive and finite"),
        ({"rate": float("inf")}, "rate is inf: it must be positive and finite"),
        ({"rate": "fast"}, "rate is fast: it must be a number"),
        ({"share": -1.0}, "share is -1.0: it must be positive and finite"),
        ({"smooth": "no"}, "smooth is no: it must be true or false"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_by_name(changes, message):
    with pytest.raises(ValueError) as refused:
        check(replace(Config(), **changes))
    assert str(refused.value) == message


def test_stored_fields_are_those_with_a_place():
    assert [(f.name, stored.bit) for f, stored in stored_fields(Config)] == [("colour", 0), ("count", 1)]


def test_declarations_load_no_torch():
    """The command line shows its help without it."""
    code = "import sys, sinenerf.common.settings, sinenerf.radiance.config, sinenerf.occupancy.config\n"
    code += "print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
