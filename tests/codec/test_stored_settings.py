"""Settings at the bits of a header that their fields declare."""

from dataclasses import MISSING, dataclass, fields, make_dataclass, replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stored_values import stored_values

from sinenerf.codec.entropy import CodecError
from sinenerf.codec.stored_settings import check_storable, pack_settings, unpack_settings
from sinenerf.common.settings import Stored, setting, stored_fields
from sinenerf.occupancy import header as occupancy_header
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.radiance import header as radiance_header
from sinenerf.radiance.config import RadianceConfig

HEADERS = [
    (OccupancyConfig, occupancy_header.SETTINGS_BYTES + 1, 8),
    (RadianceConfig, radiance_header.SETTINGS_BYTES, 3),
]
"""(settings, their bytes with the extras byte, bits among these that belong to no setting)."""
BOUNDED = [(kind, f.name, stored) for kind, _, _ in HEADERS for f, stored in stored_fields(kind) if stored.bounds]


@given(st.data())
@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("kind", [OccupancyConfig, RadianceConfig])
def test_every_config_within_bounds_is_unpacked_as_packed(kind, data):
    config = kind(**data.draw(stored_values(kind)))
    check_storable(config)
    assert unpack_settings(kind, pack_settings(config)) == (config, 0)


@pytest.mark.parametrize(("kind", "size", "unused"), HEADERS)
def test_each_bit_has_one_setting(kind, size, unused):
    taken = [bit for _, stored in stored_fields(kind) for bit in range(stored.bit, stored.bit + stored.bits)]
    assert len(taken) == len(set(taken)) and 8 * size - 8 <= max(taken) < 8 * size
    assert len(taken) == 8 * size - unused
    assert all(stored.bits == 32 for f, stored in stored_fields(kind) if f.type is float)


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


@pytest.mark.parametrize(("kind", "name", "stored"), BOUNDED)
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
