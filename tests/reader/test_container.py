"""The numpy reader's container: the values of golden files, and files with errors in them."""

import tracemalloc

import numpy as np
import pytest
import sine_reader
from sine_reader import SineFileError
from support.damaged_files import damaged, resealed
from support.golden_files import HASHES, golden, hash_of, name_of

FIELDS = golden() + golden("scenes")


@pytest.mark.parametrize("path", FIELDS, ids=name_of)
def test_golden_files_have_the_same_values(path):
    tensors = sine_reader.load(path).tensors
    assert hash_of({name: (None, values) for name, values in tensors.items()}) == HASHES[name_of(path)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a .sine file"),
        (b"PNG" * 20, "is not a .sine file"),
        (b"SINE\x02\x01" + bytes(20), "has version 2"),
        (b"SINE\x01\x01" + bytes(20), "checksum"),
        (resealed(b"SINE\x01\x09" + bytes(20)), "of no known kind"),
        (resealed(b"SINE\x01\x01\xff\xff\x01" + bytes(20)), "header is cut off"),
        (resealed(b"SINE\x01\x01" + b"\xff" * 20), "a number is cut off or too large"),
        (golden("adapters")[0].read_bytes(), "holds an adapter"),
    ],
)
def test_other_files_give_one_line(data, message):
    with pytest.raises(SineFileError, match=message) as caught:
        sine_reader.load(data)
    assert "\n" not in str(caught.value)


def test_the_message_names_the_file(tmp_path):
    path = tmp_path / "broken.sine"
    path.write_bytes(FIELDS[0].read_bytes()[:-9])
    with pytest.raises(SineFileError, match=f"^{path}: is damaged: its checksum is wrong$"):
        sine_reader.load(path)
    with pytest.raises(FileNotFoundError):
        sine_reader.load(tmp_path / "none.sine")


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path):
    path = tmp_path / "film.sine"
    path.write_bytes(golden()[0].read_bytes())
    with path.open("r+b") as file:
        file.truncate(2**28)
    tracemalloc.start()
    with pytest.raises(SineFileError, match=r"film\.sine: is not a .sine file: it is larger than 64 MiB$"):
        sine_reader.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**27


def test_damaged_files_give_an_error_or_a_field():
    """With a right checksum, so that the damage reaches the inner parts. Values that survive are finite."""
    random, errors = np.random.default_rng(0), 0
    files = [path.read_bytes() for path in FIELDS]
    for index in range(600):
        try:
            field = sine_reader.load(resealed(damaged(random, files[index % len(files)])))
            assert all(np.isfinite(values).all() for values in field.tensors.values())
        except SineFileError:
            errors += 1
    assert 200 < errors < 600


def test_a_header_beyond_the_bounds_costs_nothing():
    """A shape of 65535 x 65535 weights is refused before anything is allocated for it."""
    data = bytearray(golden()[0].read_bytes())
    data[6], data[8:9] = data[6] + 2, b"\xff\xff\x03"
    with pytest.raises(SineFileError, match="beyond the format's bounds"):
        sine_reader.load(resealed(bytes(data)))


def test_coded_integers_that_nothing_needs_take_little_memory():
    """Each of their words was made a Python integer: a file of 64 MB took 670."""
    data = resealed(golden()[0].read_bytes()[:-4] + b"\xff" * 2**20 + bytes(4))
    tracemalloc.start()
    with pytest.raises(SineFileError, match="do not end where they should"):
        sine_reader.load(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * len(data)
