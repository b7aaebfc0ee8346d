"""The entropy model, and the code of integers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import independent_reader

from sinenerf.codec.entropy import LARGEST, ROOTS, CodecError, EntropyModel, decode, encode


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.integers(0, 255), st.integers(0, 255), st.booleans())
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


@pytest.mark.parametrize("scale", [0.4, 3, 60, 900])
def test_usual_distributions_take_one_byte(scale):
    """A Gaussian, a geometric distribution, and zeros alone."""
    random = np.random.default_rng(0)
    gaussian = random.normal(0, scale, 300).round().astype(np.int64)
    for values, signed in ((gaussian, True), (random.geometric(1 / (1 + scale), 300) - 1, False), (0 * gaussian, True)):
        model = EntropyModel.fit(values, signed)
        assert model.stored_bytes == 1 and model.bound >= abs(values).max()
        assert model.bits(values) < 1 or values.any()


def test_other_distributions_store_what_they_need():
    random = np.random.default_rng(0)
    laplace = random.laplace(0, 9, 4000).round().astype(np.int64)
    model = EntropyModel.fit(laplace)
    assert model.stores_c and not model.stores_bound and model.stored_bytes == 2
    outlier = EntropyModel.fit(np.append(random.normal(0, 3, 2000).round().astype(np.int64), 5000))
    assert outlier.bound == 5000 and outlier.stores_bound and outlier.stored_bytes in (3, 4)


def test_an_integer_beyond_the_bound_is_refused():
    with pytest.raises(CodecError, match="beyond the format's bound"):
        EntropyModel.fit(np.array([LARGEST + 1]))
