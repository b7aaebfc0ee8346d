"""The codec: exact round trips, models, damage, golden files, and a second reader."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import support.independent_renderer as independent_renderer
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support import independent_reader
from support.golden_files import GOLDEN, HASHES, golden, hash_of, name_of

import sinenerf
from sinenerf.codec import adapter_header
from sinenerf.codec.container import MAGIC, OCCUPANCY, VERSION, Container, pack
from sinenerf.codec.entropy import LARGEST, CodecError, EntropyModel, decode, encode
from sinenerf.codec.tensor_table import varint
from sinenerf.codec.tensors import QuantisedTensor, values_of
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.header import overhead
from sinenerf.occupancy.solid import Placement
from sinenerf.radiance.field import RadianceField
from sinenerf.sine_file import describe


def bfloat16(value):
    return float(torch.tensor(float(value)).bfloat16())


INTEGERS = arrays.arrays(
    np.int64,
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
    elements=st.one_of(st.integers(-3, 3), st.integers(-200, 200), st.integers(-LARGEST, LARGEST)),
)


CODED = st.builds(lambda q, step: QuantisedTensor(q, bfloat16(step)), INTEGERS, st.floats(1e-6, 1e3))


FLOATS = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=0), elements=st.floats(allow_nan=False, allow_infinity=False, width=32)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(CODED, FLOATS), max_size=5), st.binary(max_size=300))
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


# tables of large integers are slow to make: a third of the lists has them
LISTS = st.sampled_from([20, 1000, LARGEST]).flatmap(lambda most: st.lists(st.integers(-most, most), max_size=40))


@settings(max_examples=60, deadline=None)
@given(LISTS, st.integers(0, 300))
def test_ascending_integers_survive(values, spread):
    """QuantisedTensor as differences where that is shorter; `sizes` counts what the file takes."""
    far, near = np.sort(np.array(values, dtype=np.int64)), np.arange(200) * spread // 200
    data = pack(1, b"", [QuantisedTensor(far, 0.5), QuantisedTensor(near, 0.5)])
    container, shapes = Container.parse(data), [far.shape, near.shape]
    assert all(
        np.array_equal(before, after.integers)
        for before, after in zip((far, near), container.tensors(shapes), strict=True)
    )
    bits = sum(bits + 8 * table for bits, table in container.sizes(container.tensors(shapes)))
    assert abs(len(data) - 11 - bits / 8 - 4) < 6  # what the coder rounds up
    numbers = independent_reader.read_tensors(data, 7, [("far", far.shape), ("near", near.shape)])
    assert np.array_equal(numbers["far"][0], far) and np.array_equal(numbers["near"][0], near)


def test_a_reader_holds_few_copies():
    count = 2**18
    ascending = np.arange(count) * 2000 // count
    container = Container.parse(pack(OCCUPANCY, b"", [QuantisedTensor(ascending, 0.5)]))
    tracemalloc.start()
    container.sizes(container.tensors([(count,)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3.3 * 8 * count  # the integers, what is coded of them, and where that lies in its table


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_frequencies_are_those_of_the_second_reader(bound, a, c, signed):
    table = EntropyModel(bound, a, c, signed).frequencies()
    assert table.tolist() == independent_reader.frequencies(bound, a, c, signed)
    assert table.sum() == 2**24 and table.min() >= 1
    assert np.array_equal(table, table[::-1]) or not signed


@pytest.mark.parametrize("draw", ["normal", "laplace", "uniform", "zero"])
def test_the_model_is_near_the_entropy(draw):
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


def test_an_integer_beyond_the_bound():
    with pytest.raises(CodecError, match="beyond the format's bound"):
        EntropyModel.fit(np.array([LARGEST + 1]))


def test_steps_are_bfloat16():
    with pytest.raises(CodecError, match="not a positive bfloat16"):
        pack(1, b"", [QuantisedTensor(np.array([1]), 0.1)])


def test_what_no_reader_takes_is_not_packed(monkeypatch):
    with pytest.raises(CodecError, match="4,194,305 values are beyond the format's bound of 4,194,304"):
        pack(OCCUPANCY, b"", [np.zeros(2**22, np.float32), QuantisedTensor(np.array(1), 0.5)])
    monkeypatch.setattr("sinenerf.codec.container.LARGEST_FILE", 100)
    with pytest.raises(CodecError, match="a file of 113 bytes is beyond the format's bound of 100"):
        pack(OCCUPANCY, b"", [np.zeros(25, np.float32)])


def test_few_bytes_ask_for_few_tables(monkeypatch):
    """A table of 2^14 frequencies takes 5 bytes of a file, and a hundredth of a second: a minute in 30 kB."""
    entry = struct.pack("<H", 0x3F80) + varint(LARGEST) + b"\xff\xff"
    asking = Container.parse(resealed(MAGIC + bytes([VERSION, OCCUPANCY, 0]) + 70 * entry + bytes(4)))
    with pytest.raises(CodecError, match="1,146,950 frequencies are beyond the format's bound of 1,048,576 and"):
        asking.tensors(70 * [()])
    monkeypatch.setattr("sinenerf.codec.container.LARGEST_TABLES", 15)
    pack(OCCUPANCY, b"", 2 * [QuantisedTensor(np.array(7), 0.5)])
    with pytest.raises(
        CodecError, match="18 frequencies are beyond the format's bound of 15 and one more for each of 2"
    ):
        pack(OCCUPANCY, b"", 2 * [QuantisedTensor(np.array(8), 0.5)])


def resealed(data):
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


@pytest.mark.parametrize("path", golden(), ids=name_of)
def test_golden_files_decode_to_the_same_integers(path):
    field = OccupancyField.load(path)
    _, tensors = independent_reader.read(path.read_bytes())
    for name, (integers, values) in tensors.items():
        np.testing.assert_array_equal(field.network.get_parameter(name).detach().numpy(), values)
        assert integers is None or np.array_equal(field.coded[name].integers, integers)
    assert hash_of(tensors) == HASHES[name_of(path)]
    assert field.to_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", golden(), ids=name_of)
def test_the_second_reader_sees_the_same_field(path):
    config, tensors = independent_reader.read(path.read_bytes())
    cube = np.random.default_rng(0).uniform(-1, 1, (500, 3)).astype(np.float32)
    ours = OccupancyField.load(path).evaluate(cube)
    np.testing.assert_allclose(independent_renderer.occupancy(config, tensors, cube), ours, atol=2e-3)


def test_golden_files_are_there():
    """Those of scenes and adapters are read in test_nerf_radiance.py and test_adapters_saving.py."""
    assert {name_of(path) for path in GOLDEN.rglob("*.sine")} == set(HASHES)


def test_the_overhead_is_small():
    for path in golden():
        field = OccupancyField.load(path)
        if field.coded:
            bits = sum(EntropyModel.fit(t.integers).bits(t.integers) for t in field.coded.values())
            extra = path.stat().st_size - bits / 8
            assert extra < (140 if field.config.learn_omega else 120), path  # learned scalars are tensors, too
            # a file of an older version may have the longer header, where a new one of the same field has not
            assert len(field.to_bytes()) - bits / 8 <= overhead(field.config, field.placement) + 1


def test_a_centre_is_float32_unless_that_is_too_coarse():
    """The middle of a box may move a thousandth of the cube, not more, and comes back as it was written."""
    sizes = []
    for place in (0.0, 0.1, 123.456, 500_000.123):
        corners = np.array([[place - 1, 0.0, 0.0], [place + 1, 1.0, 1.0], [place, 1.0, 0.0]])
        placement = Placement.of(trimesh.Trimesh(corners, [[0, 1, 2]]))
        np.testing.assert_allclose(placement.to_cube(corners)[:2, 0], [-0.95, 0.95], atol=2e-3)
        field = OccupancyField(OccupancyConfig("dense", width=3), placement)
        assert OccupancyField.of_container(Container.parse(field.to_bytes())).placement == placement
        sizes.append(len(field.to_bytes()))
    assert sizes[0] == sizes[1] == sizes[2] == sizes[3] - 12


@pytest.mark.parametrize("path", [*golden()[:1], *golden("scenes")], ids=name_of)
def test_reading_draws_no_random_numbers_of_the_callers(path):
    before = torch.get_rng_state()
    sinenerf.load(path)
    describe(path)
    assert torch.equal(torch.get_rng_state(), before)


def damaged(random, data):
    """Some bytes changed, cut, or added."""
    data = bytearray(data)
    for _ in range(random.integers(1, 6)):
        place = int(random.integers(0, len(data)))
        kind = random.integers(0, 5)
        if kind <= 1:
            data[place] = random.integers(0, 256)
        elif kind == 2:
            data[place] ^= 1 << random.integers(0, 8)
        elif kind == 3:
            del data[place : place + int(random.integers(1, 40))]
        else:
            data[place:place] = random.bytes(int(random.integers(1, 40)))
        if len(data) < 8:
            break
    return bytes(data)


def test_damaged_files_are_refused():
    """By their checksum, whatever is wrong with them."""
    random = np.random.default_rng(0)
    for path in golden():
        whole = path.read_bytes()
        for _ in range(20):
            data = damaged(random, whole)
            with pytest.raises(CodecError):
                Container.parse(data)


def read_shape(container):
    field = OccupancyField.of_container(container)
    assert sum(p.numel() for p in field.parameters()) < 2**22
    assert field.evaluate(np.zeros((3, 3))).shape == (3,)


def read_scene(container):
    field = RadianceField.of_container(container)
    with torch.no_grad():
        assert field.density(torch.zeros(3, 3)).shape == (3, 1)


def read_adapter(container):
    shapes = adapter_header.read_header(container).shapes
    assert [values_of(tensor).shape for tensor in container.tensors(list(shapes.values()))] == list(shapes.values())


@pytest.mark.parametrize(
    ("folder", "read", "cases"),
    [(".", read_shape, 18_700), ("scenes", read_scene, 300), ("adapters", read_adapter, 1_000)],
)
def test_damaged_files_with_a_right_checksum_are_refused_or_valid(folder, read, cases):
    """20,000 cases: the decoder's own error, or what a file holds, of finite numbers. Nothing else."""
    random, refused = np.random.default_rng(1), 0
    files = [path.read_bytes() for path in golden(folder)]
    for case in range(cases):
        data = damaged(random, files[case % len(files)])
        try:
            read(Container.parse(resealed(data) if len(data) > 8 else data))
        except CodecError:
            refused += 1
    assert cases // 4 < refused < cases


def test_sizes_that_are_lies_take_no_memory():
    data = golden()[0].read_bytes()
    for width, depth, rank in ((65535, 255, 65535), (65535, 1, 1), (4096, 1, 4096), (1000, 16, 1000)):
        lying = bytearray(data)
        struct.pack_into("<HBH", lying, 8, width, depth, rank)
        with pytest.raises(CodecError):
            OccupancyField.of_container(Container.parse(resealed(bytes(lying))))


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
        (resealed(MAGIC + bytes([1, 1, 2]) + bytes(8)), "its header has the wrong length"),
    ],
)
def test_what_is_no_field(data, message, tmp_path):
    path = tmp_path / "x.sine"
    path.write_bytes(data)
    with pytest.raises(CodecError, match=message) as caught:
        OccupancyField.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_dense_field_may_be_narrower_than_the_rank_it_has_no_use_for(tmp_path):
    field = OccupancyField(OccupancyConfig("dense", rank=4, width=3), Placement((0.0, 0.0, 0.0), 1.0))
    field.save(tmp_path / "thin.sine")
    assert OccupancyField.load(tmp_path / "thin.sine").config.width == 3
