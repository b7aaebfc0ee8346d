"""Decoding of single photographs."""

import pytest
from PIL import Image

from sinenerf.common import picture_files
from sinenerf.photographs.pictures import decode
from sinenerf.photographs.posed_photographs import CaptureError


def test_a_photograph_beyond_the_limit_is_not_called_damaged(tmp_path, monkeypatch):
    """Those of up to twice the limit were decoded, and for larger ones the advice was to copy them again."""
    Image.new("1", (2000, 2000)).save(tmp_path / "a.png")
    monkeypatch.setattr(picture_files, "LARGEST", 3_000_000)
    with pytest.raises(CaptureError, match=r"a\.png: has 4 megapixels, at most 3 are read: make it smaller$"):
        decode(tmp_path / "a.png")
