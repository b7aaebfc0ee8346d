"""The header of an adapter's file: bounds, and what is refused. Runs without PEFT."""

import json
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.adapter_settings import LORA

from sinenerf.codec import adapter_header
from sinenerf.codec.adapter_header import AdapterHeader
from sinenerf.codec.container import ADAPTER, Container, pack
from sinenerf.codec.entropy import CodecError

NAMES, SIDES = st.text(min_size=1, max_size=20), st.lists(st.integers(1, 9), max_size=4)


@given(st.dictionaries(NAMES, SIDES.map(tuple), min_size=1), st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_header_is_read_as_written(shapes, sine):
    config = LORA | ({"peft_type": "SINE_LORA", "omega": 50.0} if sine else {})
    header = AdapterHeader(config, shapes)
    assert adapter_header.read_header(Container(ADAPTER, header.to_bytes(), b"", 0)) == header


def header_text(config):
    return json.dumps({"config": config, "tensors": {"a": [1]}}).encode()


def without(setting):
    return {name: value for name, value in LORA.items() if name != setting}


SMALL = header_text(LORA).decode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json", "its header cannot be read"),
        (b"[" * 100_000, "its header cannot be read"),
        (b"[]", "other parts"),
        (b'{"config": {}, "tensors": []}', "other parts"),
        (b'{"config": {"peft_type": "IA3"}, "tensors": {}}', "of type 'IA3'"),
        (b'{"config": {"peft_type": "LORA", "megatron_core": "os"}, "tensors": {}}', "megatron_core"),
        (b'{"config": {"peft_type": "LORA", "\\u001b[2J": 1}, "tensors": {}}', r"does not have: '\\x1b\[2J'"),
        (b'{"config": {"peft_type": "LORA", "r": "8"}, "tensors": {}}', "does not have: r '8'"),
        (b'{"config": {"peft_type": "LORA", "r": 1' + 5000 * b"0" + b'}, "tensors": {}}', "its header cannot be read"),
        (b'{"config": {"peft_type": "LORA", "lora_alpha": NaN}, "tensors": {}}', "lora_alpha nan"),
        (b'{"config": {"peft_type": "LORA", "target_modules": "(a+)+$"}, "tensors": {}}', r"target_modules '\(a\+"),
        (b'{"config": {"peft_type": "LORA", "rank_pattern": {"(a+)+$": 4}}, "tensors": {}}', "rank_pattern"),
        (b'{"config": {"peft_type": "LORA", "bias": "some"}, "tensors": {}}', "bias 'some'"),
        (b'{"config": {"peft_type": "LORA"}, "tensors": {"a": [-1]}}', "out of bounds"),
        (b'{"config": {"peft_type": "LORA"}, "tensors": {"a": [99999999, 9]}}', "out of bounds"),
        (b" " * (2**20 + 1), "its header cannot be read"),
        (SMALL.encode("utf-16"), "its header cannot be read"),
        (SMALL.encode("utf-32-le"), "its header cannot be read"),
        (SMALL.encode("utf-8-sig"), "its header cannot be read"),
        (SMALL.replace("{", '{"tensors": {}, ', 1).encode(), "its header cannot be read"),
        *(
            (
                header_text({name: value for name, value in LORA.items() if name != missing}),
                f"its header lacks {missing}",
            )
            for missing in adapter_header.REQUIRED
        ),
        (header_text(LORA | {"peft_type": "SINE_LORA"}), "its header lacks omega"),
        (SMALL.replace('"r"', '"r": 2, "r"').encode(), "its header cannot be read"),
        (SMALL.replace('"a"', '"a": [1], "a"').encode(), "its header cannot be read"),
    ],
)
def test_a_damaged_header_is_refused(content, message):
    container = Container.parse(pack(ADAPTER, zlib.compress(content), [np.zeros(1, np.float32)]))
    with pytest.raises(CodecError, match=message):
        adapter_header.read_header(container)


def test_a_header_beyond_the_bounds_is_not_written():
    with pytest.raises(CodecError, match="out of bounds"):
        AdapterHeader(LORA, {"a" * 600: (1,)}).to_bytes()
    names = {f"{index:05}{'a' * 200}": (1,) for index in range(2**13)}  # few bytes once compressed
    with pytest.raises(CodecError, match=r"a header of 1,\d{3},\d{3} bytes is beyond the format's bound of 1,048,576"):
        AdapterHeader(LORA, names).to_bytes()
