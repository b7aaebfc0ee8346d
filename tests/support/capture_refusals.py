"""Captures that are refused: the input stays as it is, nothing is left half-written, and the message is one line."""

import pytest
from support.messy_photographs import fingerprint

from sinenerf.capture.options import CaptureError, CaptureOptions
from sinenerf.capture.pipeline import capture

OPTIONS = CaptureOptions(features=2000)


def refused(source, tmp_path, options=OPTIONS):
    """The message of a refused capture. The input is unchanged, and there is no scene."""
    before = fingerprint(source) if source.is_dir() else source.read_bytes()
    with pytest.raises(CaptureError) as error:
        capture(source, tmp_path / "scene", options)
    assert (fingerprint(source) if source.is_dir() else source.read_bytes()) == before
    assert not [path for path in tmp_path.iterdir() if "scene" in path.name]
    message = str(error.value)
    assert message.startswith(f"{source}: ") and "\n" not in message
    return message.removeprefix(f"{source}: ")
