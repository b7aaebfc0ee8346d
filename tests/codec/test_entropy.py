"""The entropy model, and the code of integers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import independent_reader

from sinenerf.codec.entropy import LARGEST, ROOTS, CodecError, EntropyModel, decode, encode


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_frequencies_agree_with_the_independent_reader(bound, a, c, signed):
    table = EntropyModel(bound, a, c, signed).frequencies()
    assert table.tolist() == independent_reader.frequencies(bound, a, c, signed)
    assert table.sum() == 2**24 and table.min() >= 1
    assert np.array_equal(table, table[::-1]) or not signed


def test_the_format_page_has_the_roots():
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    assert f"which is {', '.join(map(str, ROOTS))}" in " ".join(page.split())


@pytest.mark.parametrize("draw", ["normal", "laplace", "uniform", "zero"])
def test_the_code_is_close_to_the_entropy(draw):
    random = np.random.default_rng(0)
    values = {
        "normal": random.normal(0, 12, 4000),
        "laplace": random.laplace(0, 7, 4000),
        "uniform": random.uniform(-30, 30, 4000),
        "zero": np.zeros(4000),
    }[draw]
    values = values.round().astype(np.int64)
    _, counts = np.unique(values, return_counts=True)
    entropy = -(counts * np.log2(counts / len(values))).sum()
    model = EntropyModel.fit(values)
    data = encode([(values, model)])
    assert model.bits(values) < 1.02 * entropy + 60  # the empirical entropy knows the counts, which are not in the file
    assert abs(8 * len(data) - model.bits(values)) < 70
    assert np.array_equal(decode(data, [(len(values), model)])[0], values)


def test_an_integer_beyond_the_bound_is_refused():
    with pytest.raises(CodecError, match="beyond the format's bound"):
        EntropyModel.fit(np.array([LARGEST + 1]))
