"""Pages exported as one file."""

import base64
import gzip
import re

import pytest

from sinenerf.viewer.api import page_html
from sinenerf.viewer.export_page import export_page, packed
from sinenerf.viewer.launch import open_api


def unpacked(path):
    """The page that a browser makes of an exported file."""
    ((size, digits),) = re.findall(r'", (\d+), "(.+)"\);', path.read_text())
    return gzip.decompress(base64.b85decode(digits.replace(",", "<"))[: int(size)]).decode()


@pytest.mark.slow
def test_an_export_holds_what_its_page_requests(shape, tmp_path):
    """The original is not compared with itself."""
    export_page(open_api([shape[0]], shape[1]), tmp_path / "page.html")
    html = unpacked(tmp_path / "page.html")
    assert '"/file?asset=0"' in html and '"/mesh?asset=1"' in html
    assert '"/quality?asset=0"' in html and '"/quality?asset=1"' not in html


def test_too_large_a_page_is_refused(shape, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.viewer.export_page.MAX_BYTES", len(packed(page_html("exported_shapes")).encode()))
    with pytest.raises(ValueError, match="more than"):
        export_page(open_api([shape[0]]), tmp_path / "large.html")
    assert not (tmp_path / "large.html").exists()


@pytest.mark.parametrize(("kind", "most"), [("shape", 195_000), ("scene", 83_000)])
def test_a_page_carries_what_its_kind_needs_and_no_more(kind, most, shape, scene_file, tmp_path):
    source = shape[0] if kind == "shape" else scene_file
    export_page(open_api([source]), tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < most + 1.34 * source.stat().st_size
    assert unpacked(tmp_path / "page.html").startswith("<!doctype html>")
