"""The header of a radiance field's file."""

from dataclasses import replace

import numpy as np
import pytest
import sine_reader
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import independent_reader
from support.damaged_files import resealed
from support.golden_files import golden
from support.radiance_fields import SMALL, a_capture, a_field
from support.stored_values import stored_values

import sinenerf
from sinenerf.codec.container import RADIANCE, Container, pack
from sinenerf.codec.entropy import CodecError
from sinenerf.radiance.architecture import tensors_of
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import (
    LARGEST_HEADER,
    SETTINGS_BYTES,
    SMALLEST_HEADER,
    file_length,
    header_of,
    overhead,
    read_header,
)
from sinenerf.radiance.split import RULES, Split
from sinenerf.radiance.warps import NDC, Box, Contraction

CENTRE = (0.125, 0.25, 0.375)
WARPS = [NDC(0.625, 0.5), Box(CENTRE, (1.0, 0.75, 0.625), 0.125), Contraction(CENTRE, 1.5, 0.125)]
"""Of numbers that float32 holds."""
SIZES = {
    "width": st.integers(2, 40),
    "depth": st.integers(1, 5),
    "rank": st.integers(1, 6),
    "skips": st.sets(st.integers(0, 15)).map(lambda layers: tuple(sorted(layers))),
    "proposal_width": st.integers(1, 40),
    "proposal_depth": st.integers(1, 5),
}


def read(header):
    return read_header(Container(RADIANCE, header, b"", 0))


@pytest.mark.slow
@given(stored_values(RadianceConfig, **SIZES), st.sampled_from(WARPS))
@settings(max_examples=200, deadline=None)
def test_every_config_within_bounds_is_read_as_written(values, warp):
    """Except that skips beyond the depth are dropped, and a rank that does not fit its layers is refused."""
    config = RadianceConfig(**values)
    header = header_of(config, warp, 0.75, a_capture(isinstance(warp, NDC)))
    assert len(header) == SMALLEST_HEADER == 175
    try:
        tensors_of(config)
    except ValueError as error:
        assert "does not fit" in str(error)
        with pytest.raises(CodecError, match=f"is damaged: rank {config.rank} does not fit"):
            read(header)
    else:
        skips = tuple(layer for layer in config.skips if layer < config.depth)
        assert read(header)[:3] == (replace(config, skips=skips), warp, 0.75)


@pytest.mark.parametrize("path", golden("scenes"), ids=lambda path: path.stem)
def test_settings_of_golden_files_are_rewritten_byte_for_byte(path):
    header = Container.open(path).header
    field = sinenerf.load(path)
    again = header_of(field.config, field.warp, field.far, field.capture)
    assert len(again) == len(header) and again[:SETTINGS_BYTES] == header[:SETTINGS_BYTES]


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, 0b11, "the format has no layer with number 3"),
        (0, 0b110000, "the format has no background with number 3"),
        (1, 0x28, "sets bits that the format does not have"),
        (1, 0x40, "its header has the wrong length"),
        (8, 0x80, "sets bits that the format does not have"),
        (4, 17, "depth is 17: a file holds 1 to 16"),
    ],
)
def test_a_damaged_header_is_refused(offset, value, message):
    header = bytearray(header_of(RadianceConfig(**SMALL), WARPS[0], 1.0, a_capture()))
    header[offset] = value
    with pytest.raises(CodecError, match=f"is damaged: .*{message}"):
        read(bytes(header))


def test_a_trained_scene_is_written_again_byte_for_byte():
    """Its warp and far bound were taken for the nearest decimals of seven digits, too few for a float32."""
    field = a_field(NDC(0.123456789, 0.34567891, 1.23456789))
    field.far = 0.987654321
    data = field.to_bytes()
    assert RadianceField.of_container(Container.parse(data)).to_bytes() == data


@pytest.mark.parametrize("warp", WARPS, ids=lambda warp: type(warp).__name__)
def test_numbers_that_a_warp_does_not_have_are_refused(warp):
    data = bytearray(a_field(warp).to_bytes())
    start = data.index(header_of(RadianceConfig(**SMALL), warp, 0.875, a_capture(isinstance(warp, NDC))))
    data[start + 27 + 24 : start + 27 + 28] = np.float32(5).tobytes()  # the last of seven; a box's near
    readers = [lambda data: RadianceField.of_container(Container.parse(data)), sine_reader.load]
    for read_field in readers:
        if isinstance(warp, Box):
            read_field(resealed(bytes(data)))
        else:
            with pytest.raises(ValueError, match="is damaged: its warp has more numbers than the format defines"):
                read_field(resealed(bytes(data)))


@pytest.mark.slow
def test_a_damaged_header_raises_or_gives_a_valid_field():
    data = a_field().to_bytes()
    container = Container.parse(data)
    stored = container.tensors(list(tensors_of(RadianceConfig(**SMALL)).values()))
    random = np.random.default_rng(0)
    errors = 0
    for _ in range(400):
        header = bytearray(container.header)
        for offset in random.integers(len(header), size=random.integers(1, 4)):
            header[offset] = random.integers(256)
        try:
            field = RadianceField.of_container(Container.parse(pack(RADIANCE, bytes(header), stored)))
        except CodecError:
            errors += 1
        else:
            assert field.config.baked_size <= 2**24
    assert errors > 100


def test_skips_beyond_the_depth_are_dropped(tmp_path):
    """The presets have a skip after the fifth layer, this network only four layers."""
    field = a_field(depth=4, skips=(1, 4))
    field.save(tmp_path / "scene.sine")
    loaded = sinenerf.load(tmp_path / "scene.sine")
    assert loaded.config.skips == (1,)
    torch.testing.assert_close(loaded.state_dict(), field.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 18}, "depth is 18: a file holds 1 to 16"),
        ({"spread": 5e-4}, "spread is 0.0005: a file holds 0.001 to"),
        (
            {"width": 1024, "depth": 16},
            r"baked, the networks hold up to [\d,]+ weights: a file holds at most 16,777,216",
        ),
        (
            {"width": 512, "depth": 8, "layer": "dense", "sampling": "coarse-fine"},
            "4,504,072 values are beyond the format's bound of",
        ),
    ],
)
def test_a_field_that_no_reader_would_open_is_not_written(changes, message, tmp_path):
    field = a_field(**changes)
    for write in (field.check_writable, lambda: field.save(tmp_path / "x.sine")):
        with pytest.raises(ValueError, match=message):
            write()
    assert not list(tmp_path.iterdir())


def test_a_camera_beyond_the_formats_bound_is_refused():
    field = a_field()
    field.capture = replace(field.capture, home=replace(field.capture.home, width=16_385))
    with pytest.raises(CodecError, match="16385 x 18: a file holds cameras of at most 16,384 pixels"):
        field.to_bytes()


def test_overhead_is_an_upper_bound():
    field = a_field()
    size = len(field.to_bytes()) - 4 * field.parameters_count
    assert size <= overhead(field.config)
    assert LARGEST_HEADER < 200


SPLITS = [Split("none", 0, 0), Split("every", 8, 2**32 - 1), Split("spread", 2**16 - 1, 1), Split("named", 3, 2)]


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: split.rule)
def test_a_split_is_read_as_written(split):
    field = a_field()
    field.capture = replace(field.capture, split=split)
    data = field.to_bytes()
    assert RadianceField.of_container(Container.parse(data)).capture.split == split
    assert len(data) == file_length([p.detach().numpy() for p in field.parameters()])
    assert len(data) - 4 * field.parameters_count <= overhead(field.config)
    config, _ = independent_reader.read(data)
    assert config["split"] == (RULES.index(split.rule), split.parameter, split.checksum)


def test_a_damaged_split_is_refused():
    header = header_of(RadianceConfig(**SMALL), WARPS[0], 1.0, replace(a_capture(), split=SPLITS[1]))
    assert len(header) == LARGEST_HEADER
    for damaged in (header[:-1], header[:SMALLEST_HEADER], header[:1] + b"\0" + header[2:]):
        with pytest.raises(CodecError, match="its header has the wrong length"):
            read(damaged)
    for values in (b"\4\1\0", b"\1\0\0", b"\0\1\0"):
        with pytest.raises(CodecError, match="a split that the format does not have"):
            read(header[:SMALLEST_HEADER] + values + header[-4:])
