"""Entries of the table: steps, and ascending integers."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import independent_reader

from sinenerf.codec.container import OCCUPANCY, Container, pack
from sinenerf.codec.entropy import LARGEST, CodecError
from sinenerf.codec.tensors import QuantisedTensor, nearest_step

STEP = 2.0**-7


@pytest.mark.parametrize("step", [0.1, 0.0, -0.5, 2.0**-45, 2.0**20])
def test_a_step_that_a_file_cannot_hold_is_refused(step):
    with pytest.raises(CodecError, match=f"a step of {step} is not a bfloat16 from 2\\^-44 to 2\\^19"):
        pack(1, b"", [QuantisedTensor(np.array([1]), step)])


@given(st.floats(0, 1e9))
def test_the_nearest_step_is_stored(value):
    step = float(nearest_step(torch.tensor(value)))
    data = pack(1, b"", [QuantisedTensor(np.array([1]), step)])
    assert Container.parse(data).tensors([(1,)])[0].step == step
    assert independent_reader.read_tensors(data, 7, [("x", (1,))])["x"][1] == step
    assert step == pytest.approx(min(max(value, 2.0**-44), 2.0**19), rel=2**-8)


# tables of large integers are slow to compute: only a third of the lists has them
LISTS = st.sampled_from([20, 1000, LARGEST]).flatmap(lambda most: st.lists(st.integers(-most, most), max_size=40))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(LISTS, st.integers(0, 300))
@example([0, 0, 1, 1, 7357, 7357, 7357, 7357], 0)  # two bytes less than its bits
def test_ascending_integers_survive(values, spread):
    """They are coded as differences where that is shorter; `sizes` counts what the file takes."""
    far, near = np.sort(np.array(values, dtype=np.int64)), np.arange(200) * spread // 200
    data = pack(1, b"", [QuantisedTensor(far, 0.5), QuantisedTensor(near, 0.5)])
    container, shapes = Container.parse(data), [far.shape, near.shape]
    assert all(
        np.array_equal(before, after.integers)
        for before, after in zip((far, near), container.tensors(shapes), strict=True)
    )
    bits = sum(bits + 8 * table for bits, table in container.sizes(container.tensors(shapes)))
    # the coder ends with a whole word, and begins at state 0, where the first integer may take up to 3 bytes less
    assert -4 < len(data) - 11 - bits / 8 < 10
    numbers = independent_reader.read_tensors(data, 7, [("far", far.shape), ("near", near.shape)])
    assert np.array_equal(numbers["far"][0], far) and np.array_equal(numbers["near"][0], near)


def test_an_ascending_tensor_beyond_the_bound_is_refused():
    """Its differences add up to more than the largest integer."""
    shapes = [(300,)]
    body = Container.parse(pack(OCCUPANCY, b"", [QuantisedTensor(np.arange(300) * 54 + 200, STEP)])).body
    assert Container(OCCUPANCY, b"", body, 0).tensors(shapes)[0].integers.max() == 16_346
    assert body[2:4] == bytes([0x90, 0x03])  # z = 400, of a first integer of 200; now 1,023
    damaged = body[:2] + bytes([0xFE, 0x0F]) + body[4:]
    with pytest.raises(CodecError, match="beyond the format's bound"):
        Container(OCCUPANCY, b"", damaged, 0).tensors(shapes)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(-300, 300), min_size=1, max_size=60), min_size=1, max_size=3))
def test_runs_of_ascending_integers_survive(runs):
    """One run or two, or three, which are coded as they are."""
    integers = np.concatenate([np.sort(run) for run in runs])
    stored = pack(OCCUPANCY, b"", [QuantisedTensor(integers, STEP), QuantisedTensor(np.arange(9), STEP)])
    first, second = Container.parse(stored).tensors([integers.shape, (9,)])
    assert np.array_equal(first.integers, integers) and np.array_equal(second.integers, np.arange(9))


def test_a_second_run_beyond_its_tensor_is_refused():
    runs = np.concatenate([np.arange(40) * 9, np.arange(200) * 9])
    body = Container.parse(pack(OCCUPANCY, b"", [QuantisedTensor(runs, STEP)])).body
    assert body[2:4] == bytes([0, 40])  # the first integer, and where the second run begins
    with pytest.raises(CodecError, match="a run begins beyond its tensor"):
        Container(OCCUPANCY, b"", body[:3] + bytes([250, 1]) + body[4:], 0).tensors([(240,)])
