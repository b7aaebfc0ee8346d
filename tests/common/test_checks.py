"""Checks of single values, and settings of which one is given."""

import math
from typing import Literal

import numpy as np
import pytest

from sinenerf.common.checks import check_choice, check_positive, check_seed, check_whole, file_size, training_budget


@pytest.mark.parametrize(
    ("check", "value"),
    [(check_positive, 1), (check_positive, 1e-9), (check_whole, 3), (check_whole, np.int64(3)), (check_whole, None)],
)
def test_good_values_pass(check, value):
    check("size", value)


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (check_positive, 0, "size is 0: it must be positive and finite"),
        (check_positive, math.nan, "size is nan: it must be positive and finite"),
        (check_positive, math.inf, "size is inf: it must be positive and finite"),
        (check_whole, 4e3, "size is 4000.0: it must be a whole number"),
    ],
)
def test_bad_values_are_refused_by_name(check, value, message):
    with pytest.raises(ValueError) as refused:
        check("size", value)
    assert str(refused.value) == message


def test_choices_and_seeds():
    check_choice("side", "left", Literal["left", "right"])
    check_seed(0)
    with pytest.raises(ValueError, match="no side is called 'top': choose left or right"):
        check_choice("side", "top", Literal["left", "right"])
    for seed in (-1, 0.5):
        with pytest.raises(ValueError, match=f"seed is {seed}: it must be "):
            check_seed(seed)


def test_a_files_size_comes_from_the_setting_that_is_given():
    assert file_size(1000, None, 900) == 900
    assert file_size(1000, 6.0, None) == 750
    assert file_size(1000, None, None, default_bits=8.0) == 1000
    assert file_size(1000, None, None) is None and file_size(1000, 32, None) is None
    with pytest.raises(ValueError, match="give bits or bytes, not both"):
        file_size(1000, 8.0, 900)


def test_a_budget_comes_from_the_setting_that_is_given():
    assert training_budget(None, 7, default_minutes=2.0) == (math.inf, 7)
    assert training_budget(0.5, None, default_minutes=2.0)[0] == 30.0
    assert training_budget(None, None, default_minutes=2.0)[0] == 120.0
    with pytest.raises(ValueError, match="give minutes or steps, not both"):
        training_budget(1.0, 7, default_minutes=2.0)
    with pytest.raises(ValueError, match="steps is 0: it must be positive"):
        training_budget(None, 0, default_minutes=2.0)
