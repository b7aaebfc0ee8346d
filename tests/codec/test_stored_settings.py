"""Settings at the bits of a header that their fields declare."""

from dataclasses import MISSING, dataclass, fields, make_dataclass, replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stored_values import stored_values

from sinenerf.codec.entropy import CodecError
from sinenerf.codec.stored_settings import check_storable, pack_numbers, pack_settings, read_numbers, unpack_settings
from sinenerf.common.settings import Stored, StoredNumber, fields_in_bits, setting, stored_fields
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.radiance import header as radiance_header
from sinenerf.radiance.config import RadianceConfig

HEADERS = [
    (OccupancyConfig, 2, 8),
    (RadianceConfig, radiance_header.SETTINGS_BYTES, 3),
]
"""(settings, their bytes with the extras byte, bits among these that belong to no setting)."""
BOUNDED = [(kind, f.name, stored) for kind, _, _ in HEADERS for f, stored in stored_fields(kind) if stored.bounds]
NUMBERS = [f.name for f, stored in stored_fields(OccupancyConfig) if isinstance(stored, StoredNumber)]


def unpacked(kind, config):
    """The settings that a file holds, read from it."""
    bits, rest = unpack_settings(kind, pack_settings(config))
    names = [] if kind is RadianceConfig else NUMBERS
    values, _ = read_numbers(kind, names, pack_numbers(config, names), 0)
    return replace(bits, **values), rest


@given(st.data())
@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("kind", [OccupancyConfig, RadianceConfig])
def test_every_config_within_bounds_is_unpacked_as_packed(kind, data):
    config = kind(**data.draw(stored_values(kind)))
    check_storable(config)
    assert unpacked(kind, config) == (config, 0)


@pytest.mark.parametrize(("kind", "size", "unused"), HEADERS)
def test_each_bit_has_one_setting(kind, size, unused):
    taken = [bit for _, stored in fields_in_bits(kind) for bit in range(stored.bit, stored.bit + stored.bits)]
    assert len(taken) == len(set(taken)) and 8 * size - 8 <= max(taken) < 8 * size
    assert len(taken) == 8 * size - unused
    assert all(stored.bits == 32 for f, stored in fields_in_bits(kind) if f.type is float)


@pytest.mark.parametrize("kind", [OccupancyConfig, RadianceConfig])
def test_the_order_of_declarations_does_not_matter(kind):
    turned = make_dataclass("Turned", [(f.name, f.type, setting(f.default, **f.metadata)) for f in fields(kind)][::-1])
    assert [f.name for f in fields(turned)] != [f.name for f in fields(kind)]
    assert all(f.default is not MISSING for f in fields(kind))
    assert pack_settings(turned()) == pack_settings(kind())


@pytest.mark.parametrize(("kind", "name", "stored"), BOUNDED)
def test_a_number_beyond_a_files_bounds_is_refused_by_name(kind, name, stored):
    for end, beyond in zip(stored.bounds, (-1, 1), strict=True):
        check_storable(replace(kind(), **{name: end}))
        value = end * (1 + 0.01 * beyond) if isinstance(getattr(kind(), name), float) else int(end) + beyond
        low, high = stored.bounds
        with pytest.raises(CodecError) as refused:
            check_storable(replace(kind(), **{name: value}))
        assert str(refused.value) == f"{name} is {value}: a file holds {low} to {high}"


@pytest.mark.parametrize(("kind", "name", "stored"), [case for case in BOUNDED if isinstance(case[2], Stored)])
def test_a_file_with_a_number_beyond_its_bounds_is_refused_by_name(kind, name, stored):
    low, high = stored.bounds
    ones = (1 << stored.bits) - 1
    beyond = [code for code in (0, ones) if isinstance(low, float) or not low <= code <= high]
    for code in beyond:  # as a float, no bits are 0 and all bits are not a number
        packed = pack_settings(kind()) & ~(ones << stored.bit) | code << stored.bit
        with pytest.raises(CodecError, match=rf"^{name} is "):
            unpack_settings(kind, packed)


@dataclass(frozen=True)
class Paint:
    colour: Literal["red", "green", "blue"] = setting("red", stored=Stored(2, 2))
    coats: int = setting(1, stored=Stored(4, 4, (1, 15)))


def test_a_choice_that_the_format_does_not_have_is_refused():
    assert pack_settings(Paint("blue", 3)) == 2 << 2 | 3 << 4
    with pytest.raises(CodecError, match="the format has no colour with number 3"):
        unpack_settings(Paint, 3 << 2 | 1 << 4)


def test_bits_of_no_setting_are_left_to_the_header():
    assert unpack_settings(Paint, 0b11 | 1 << 2 | 5 << 4 | 1 << 8) == (Paint("green", 5), 0b11 | 1 << 8)


@dataclass(frozen=True)
class Pan:
    litres: float = setting(0.5, stored=StoredNumber((1e-3, 1e6), 10))
    handles: int = setting(1, stored=StoredNumber((1, 300)))


@pytest.mark.parametrize(
    ("pan", "data"),
    [
        (Pan(12.7, 2), b"\x7f\x02"),
        (Pan(12.8, 300), b"\x80\x01\xac\x02"),
        (Pan(0.25, 1), b"\0\0\0\x80\x3e\x01"),  # no multiple of a tenth
        (Pan(1e6, 1), b"\x80\xad\xe2\x04\x01"),
    ],
)
def test_numbers_that_are_multiples_take_fewer_bytes(pan, data):
    assert pack_numbers(pan, ["litres", "handles"]) == data
    assert read_numbers(Pan, ["litres", "handles"], b"ab" + data, 2) == (
        {"litres": pan.litres, "handles": pan.handles},
        2 + len(data),
    )
    for cut in range(len(data)):
        with pytest.raises(CodecError):
            read_numbers(Pan, ["litres", "handles"], data[:cut], 0)
