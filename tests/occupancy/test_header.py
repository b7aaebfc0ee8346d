"""The header of an occupancy field's file."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import independent_reader
from support.damaged_files import resealed
from support.golden_files import golden
from support.stored_values import stored_values

from sinenerf.codec.container import MAGIC, OCCUPANCY, Container, pack
from sinenerf.codec.entropy import CodecError, EntropyModel
from sinenerf.codec.varints import varint
from sinenerf.occupancy.architecture import shapes_of
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.header import check_writable, header_of, overhead, read_header
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.solid import Placement

NEAR, FAR = Placement((0.5, -1.25, 3.0), 2.0), Placement((1e9 + 0.125, 0.0, 0.0), 2.0)
PLACE_BYTES = {NEAR: 2 + 1 + 1 + 2, FAR: 2 + 6 + 1 + 1}
SIZES = {"width": st.integers(1, 300), "depth": st.integers(1, 20), "rank": st.integers(1, 300)}


def read(header):
    return read_header(Container(OCCUPANCY, header, b"", 0))


@given(stored_values(OccupancyConfig, **SIZES), st.sampled_from([NEAR, FAR]))
@settings(max_examples=200, deadline=None)
def test_every_config_within_bounds_is_read_as_written(values, placement):
    config = OccupancyConfig(**values)
    try:
        check_writable(config)
    except CodecError:
        assume(False)
    header = header_of(config, placement)
    unused = {"rank": config.layer == "dense", "bandwidth": config.activation == "relu"}
    unused |= dict.fromkeys(["omega", "spread"], config.layer != "sine")
    kept = replace(config, **{name: getattr(OccupancyConfig(), name) for name, left in unused.items() if left})
    if config.rank <= config.width or config.layer == "dense":
        assert read(header) == (kept, placement)
        assert independent_reader.occupancy_header(header)[0]["centre"] == list(placement.centre)
    else:
        with pytest.raises(CodecError, match=f"is damaged: rank {config.rank} does not fit a width of {config.width}"):
            read(header)


@pytest.mark.parametrize("path", golden(), ids=lambda path: path.stem)
def test_golden_files_are_written_again_byte_for_byte(path):
    field = OccupancyField.load(path)
    assert field.to_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 256}, "depth is 256: a file holds 1 to 255"),
        ({"omega": 2e6}, "omega is 2000000.0: a file holds 0.001 to 1000000.0"),
        ({"width": 5000}, "width 5000 and depth 3: a file holds a width\\^2 depth of at most 16,777,216"),
        ({"layer": "dense", "width": 1600}, "values are beyond the format's bound"),
    ],
)
def test_what_no_reader_opens_is_not_written(changes, message):
    config = replace(OccupancyConfig(), **changes)
    for write in (lambda: check_writable(config), lambda: header_of(config, NEAR)):
        with pytest.raises(CodecError, match=message):
            write()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 0b11, "the format has no layer with number 3"),
        (0, 0b1100, "the format has no activation with number 3"),
        (0, 0x80, "rank 4 does not fit a width of 1"),  # the numbers begin a byte too late
        (3, 0, "depth is 0: a file holds 1 to 255"),
        (10, 0xFF, "its scale is not positive, or not finite"),
    ],
)
def test_a_damaged_header_is_refused(place, value, message):
    header = bytearray(header_of(OccupancyConfig(), NEAR))
    header[place] = value
    with pytest.raises(CodecError, match=f"is damaged: .*{message}"):
        read(bytes(header))


@pytest.mark.parametrize("placement", [NEAR, FAR])
def test_a_damaged_extras_byte_is_refused(placement):
    header = header_of(OccupancyConfig(init="paper"), placement)
    assert header[1] == 1 << 4 and read(header)[0].init == "paper"
    for extras, message in (
        (0, "its extras byte is empty"),
        (1 << 4 | 6, "the format has no up axis with number 6"),
        (7, "the format has no up axis with number 7"),
    ):
        with pytest.raises(CodecError, match=f"is damaged: .*{message}"):
            read(header[:1] + bytes([extras]) + header[2:])
    with pytest.raises(CodecError, match="a number is cut off"):
        read(header[:-1])


@pytest.mark.parametrize(("number", "up"), enumerate(["y", "z", "x", "-y", "-z", "-x"]))
@pytest.mark.parametrize("init", ["spread", "paper"])
def test_the_up_axis_is_in_the_extras_byte(number, up, init):
    placement, config = replace(FAR, up=up), OccupancyConfig(init=init)
    header = header_of(config, placement)
    assert read(header) == (config, placement)
    extras = number | (init == "paper") << 4
    assert header[1:-18] == (bytes([extras]) if extras else b"")
    assert overhead(config, placement) - overhead(config, FAR) == (number > 0 and init == "spread")
    assert header[-18:] == header_of(config, FAR)[-18:]


@pytest.mark.parametrize("place", [NEAR, FAR])
def test_a_plane_of_symmetry_follows_the_placement(place):
    placement = replace(place, mirror=Mirror((16384, -5, 3), -200))
    header = header_of(OccupancyConfig(), placement)
    plain = header_of(OccupancyConfig(), place)
    assert read(header) == (OccupancyConfig(), placement) and header[1] == 1 << 3
    assert header[2:-7] == plain[1:] and header[-7:] == b"\x80\x80\x02\x09\x06\x8f\x03"
    for plane in (b"\0\0\0\x8f\x03", b"\x80\x80\x08\x09\x06\x8f\x03"):
        with pytest.raises(CodecError, match="its plane of symmetry has no direction, or is out of bounds"):
            read(header[:-7] + plane)
    with pytest.raises(CodecError, match="a number is cut off"):
        read(header[:-1])


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (OccupancyConfig(width=40, rank=6, spread=0.5), 7),
        (OccupancyConfig(width=64, rank=14, spread=0.42, omega=100.0), 8),
        (OccupancyConfig("low-rank", width=40), 5),
        (OccupancyConfig("dense", width=22), 4),
        (OccupancyConfig("dense", width=22, activation="relu"), 3),
        (OccupancyConfig("dense", width=200, bandwidth=0.123), 9),
    ],
)
def test_usual_settings_take_few_bytes(config, size):
    for placement in (NEAR, FAR):
        assert len(header_of(config, placement)) == size + PLACE_BYTES[placement]


def test_a_placement_that_no_file_holds_is_refused():
    for placement in (Placement((0.1, 0.0, 0.0), 1.0), Placement((0.0, 0.0, 0.0), 1.01)):
        with pytest.raises(CodecError, match="a file holds no centre"):
            header_of(OccupancyConfig(), placement)
    with pytest.raises(CodecError, match="too far from the origin"):
        header_of(OccupancyConfig(), Placement((2.0**42, 0.0, 0.0), 1.0))


def test_a_header_of_another_length_is_refused():
    for header in (b"", header_of(OccupancyConfig(), FAR) + b"\0"):
        with pytest.raises(CodecError, match="its header has the wrong length"):
            read(header)
    whole = header_of(OccupancyConfig(spread=0.123), NEAR)
    for cut in range(len(whole)):
        with pytest.raises(CodecError, match="is damaged"):
            read(whole[:cut])


def test_overhead_counts_every_byte():
    config = OccupancyConfig(width=16, rank=2)
    values = [np.zeros(shape, np.float32) for shape in shapes_of(config)]
    size = len(pack(OCCUPANCY, header_of(config, FAR), values)) - 4 * sum(v.size for v in values)
    assert size <= overhead(config, FAR)


def test_the_overhead_is_small():
    for path in golden():
        field = OccupancyField.load(path)
        if field.coded:
            bits = sum(EntropyModel.fit(t.integers).bits(t.integers) for t in field.coded.values())
            extra = path.stat().st_size - bits / 8
            assert extra < (100 if field.config.learn_omega else 80), path  # learned scalars are tensors too
            assert len(field.to_bytes()) - bits / 8 <= overhead(field.config, field.placement) + 1


def test_false_sizes_allocate_no_memory():
    for width, depth, rank in ((65535, 255, 65535), (65535, 1, 1), (4096, 1, 4096), (1000, 16, 1000)):
        header = b"\x41" + varint(width) + varint(depth) + varint(rank) + header_of(OccupancyConfig(), NEAR)[7:]
        data = MAGIC + bytes([1, OCCUPANCY, len(header)]) + header + bytes(200)
        with pytest.raises(CodecError):
            OccupancyField.of_container(Container.parse(resealed(data)))


def test_a_dense_field_may_be_narrower_than_its_unused_rank(tmp_path):
    field = OccupancyField(OccupancyConfig("dense", rank=4, width=3), Placement((0.0, 0.0, 0.0), 1.0))
    field.save(tmp_path / "thin.sine")
    assert OccupancyField.load(tmp_path / "thin.sine").config.width == 3


@pytest.mark.parametrize("pieces", range(1, 8))
def test_the_number_of_pieces_is_in_the_extras_byte(pieces):
    placement = replace(FAR, up="z", pieces=pieces)
    header = header_of(OccupancyConfig(), placement)
    assert read(header) == (OccupancyConfig(), placement) and header[1] == pieces << 5 | 1
