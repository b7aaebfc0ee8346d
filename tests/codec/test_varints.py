"""Whole numbers in few bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import independent_reader

from sinenerf.codec.entropy import CodecError
from sinenerf.codec.varints import read_signed_varint, read_varint, signed_varint, varint


@given(st.integers(0, 2**28 - 1))
def test_numbers_are_read_as_written(value):
    data = b"x" + varint(value) + b"y"
    assert read_varint(data, 1) == independent_reader.varint(data, 1) == (value, len(data) - 1)


@given(st.integers(-(2**48), 2**48 - 1))
def test_numbers_of_either_sign_are_read_as_written(value):
    data = b"x" + signed_varint(value) + b"y"
    assert read_signed_varint(data, 1, 7) == independent_reader.signed(data, 1) == (value, len(data) - 1)


def test_small_numbers_take_one_byte():
    assert [signed_varint(value) for value in (0, -1, 1, -64, 63)] == [b"\0", b"\1", b"\2", b"\x7f", b"\x7e"]
    assert [len(signed_varint(value)) for value in (-65, 64)] == [2, 2]


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x80\x80\x80\x01"])
def test_cut_off_and_long_numbers_are_refused(data):
    with pytest.raises(CodecError, match="a number is cut off or too large"):
        read_varint(data, 0)
