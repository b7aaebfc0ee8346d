"""The container: round trips, bounds and damage."""

import struct
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support.damaged_files import damaged, resealed
from support.golden_files import GOLDEN, HASHES, golden, name_of

from sinenerf.codec import adapter_header
from sinenerf.codec.container import MAGIC, OCCUPANCY, VERSION, Container, pack
from sinenerf.codec.entropy import LARGEST, CodecError
from sinenerf.codec.tensors import QuantisedTensor, values_of
from sinenerf.occupancy.field import OccupancyField
from sinenerf.radiance.field import RadianceField


def bfloat16(value):
    return float(torch.tensor(float(value)).bfloat16())


INTEGERS = arrays.arrays(
    np.int64,
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
    elements=st.one_of(st.integers(-3, 3), st.integers(-200, 200), st.integers(-LARGEST, LARGEST)),
)


QUANTISED = st.builds(lambda q, step: QuantisedTensor(q, bfloat16(step)), INTEGERS, st.floats(1e-6, 1e3))


FLOATS = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=0), elements=st.floats(allow_nan=False, allow_infinity=False, width=32)
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(QUANTISED, FLOATS), max_size=5), st.binary(max_size=300))
def test_any_tensors_survive(tensors, header):
    data = pack(1, header, tensors)
    container = Container.parse(data)
    assert container.header == header and container.size == len(data)
    back = container.tensors([t.integers.shape if isinstance(t, QuantisedTensor) else t.shape for t in tensors])
    for before, after in zip(tensors, back, strict=True):
        if isinstance(before, QuantisedTensor):
            assert np.array_equal(before.integers, after.integers) and before.step == after.step
        else:
            assert np.array_equal(before, after)


def test_a_reader_holds_few_copies_of_a_tensor():
    count = 2**18
    ascending = np.arange(count) * 2000 // count
    container = Container.parse(pack(OCCUPANCY, b"", [QuantisedTensor(ascending, 0.5)]))
    tracemalloc.start()
    container.sizes(container.tensors([(count,)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3.3 * 8 * count  # the integers, their symbols, and the symbols' indices in the table


def test_what_no_reader_accepts_is_not_written(monkeypatch):
    with pytest.raises(CodecError, match="4,194,305 values are beyond the format's bound of 4,194,304"):
        pack(OCCUPANCY, b"", [np.zeros(2**22, np.float32), QuantisedTensor(np.array(1), 0.5)])
    with pytest.raises(CodecError, match="values that are not finite cannot be written"):
        pack(OCCUPANCY, b"", [np.array([1.0, np.nan], np.float32)])
    with pytest.raises(CodecError, match="an integer of 9,223,372,036,854,775,808 is beyond the format's bound"):
        pack(OCCUPANCY, b"", [QuantisedTensor(np.array([3, -(2**63)]), 0.5)])  # NaN as an integer
    monkeypatch.setattr("sinenerf.codec.container.LARGEST_FILE", 100)
    with pytest.raises(CodecError, match="a file of 113 bytes is beyond the format's bound of 100"):
        pack(OCCUPANCY, b"", [np.zeros(25, np.float32)])


def test_few_bytes_cannot_ask_for_many_tables(monkeypatch):
    """A table of 2^14 frequencies takes 3 bytes in a file and 10 ms to compute: 30 kB would take minutes."""
    entry = struct.pack("<HB", 0x1600, 255)
    container = Container.parse(resealed(MAGIC + bytes([VERSION, OCCUPANCY, 0]) + 70 * entry + bytes(4)))
    with pytest.raises(CodecError, match="1,146,950 frequencies are beyond the format's bound of 1,048,576 and"):
        container.tensors(70 * [()])
    monkeypatch.setattr("sinenerf.codec.container.LARGEST_TABLES", 16)
    pack(OCCUPANCY, b"", 2 * [QuantisedTensor(np.array(0), 0.5)])
    with pytest.raises(CodecError, match="frequencies are beyond the format's bound of 16 and one more for each of 2"):
        pack(OCCUPANCY, b"", 2 * [QuantisedTensor(np.array(300), 0.5)])


def test_all_golden_files_exist():
    """They are read in the tests of occupancy, radiance and adapters."""
    assert {name_of(path) for path in GOLDEN.rglob("*.sine")} == set(HASHES)


def test_damaged_files_are_refused():
    """The checksum shows it, regardless of what else is wrong."""
    random = np.random.default_rng(0)
    for path in golden():
        whole = path.read_bytes()
        for _ in range(20):
            data = damaged(random, whole)
            with pytest.raises(CodecError):
                Container.parse(data)


def read_mesh(container):
    field = OccupancyField.of_container(container)
    assert sum(p.numel() for p in field.parameters()) < 2**22
    assert field.logits(torch.zeros(3, 3)).shape == (3,)


def read_scene(container):
    field = RadianceField.of_container(container)
    with torch.no_grad():
        assert field.density(torch.zeros(3, 3)).shape == (3, 1)


def read_adapter(container):
    shapes = adapter_header.read_header(container).shapes
    assert [values_of(tensor).shape for tensor in container.tensors(list(shapes.values()))] == list(shapes.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "read", "cases"),
    [(".", read_mesh, 3_000), ("scenes", read_scene, 300), ("adapters", read_adapter, 1_000)],
)
def test_damaged_files_with_a_right_checksum_are_refused_or_valid(folder, read, cases):
    """In each case the decoder raises its own error, or reads finite values; scripts/fuzz.py tries many more."""
    random, refused = np.random.default_rng(1), 0
    files = [path.read_bytes() for path in golden(folder)]
    for case in range(cases):
        data = damaged(random, files[case % len(files)])
        try:
            read(Container.parse(resealed(data) if len(data) > 8 else data))
        except CodecError:
            refused += 1
    assert cases // 4 < refused < cases


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a .sine file. Make one with"),
        (b"SINE", "is not a .sine file"),
        (b"something else entirely", "is not a .sine file"),
        (resealed(MAGIC + bytes([7, 1, 0]) + bytes(8)), "is of version 7; this sinenerf reads up to version 1"),
        (resealed(MAGIC + bytes([1, 9, 0]) + bytes(8)), "holds no occupancy field"),
        (MAGIC + bytes([1, 1, 0]) + bytes(8), "its checksum is wrong"),
        (resealed(MAGIC + bytes([1, 1, 100]) + bytes(8)), "its header is cut off"),
        (resealed(MAGIC + bytes([1, 1, 1]) + bytes(8)), "its header has the wrong length"),
    ],
)
def test_what_is_not_a_field_is_refused_in_one_line(data, message, tmp_path):
    path = tmp_path / "x.sine"
    path.write_bytes(data)
    with pytest.raises(CodecError, match=message) as caught:
        OccupancyField.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_is_not_called_a_missing_file(tmp_path):
    with pytest.raises(IsADirectoryError, match=r": is a folder\. Give a \.sine file"):
        Container.open(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"x\.sine: no such file"):
        Container.open(tmp_path / "x.sine")
