"""Pages exported as one file."""

import gzip
import io
import json
import re
import shutil

import pytest

from sinenerf.viewer.api import page_html
from sinenerf.viewer.export_page import export_page, packed
from sinenerf.viewer.launch import open_api


def unpacked(path):
    """The page that a browser makes of an exported file, and the responses that it gets, by URL."""
    ((alphabet, sizes, digits),) = re.findall(r'^}\)\("(.+)", (\[\[.+\]\]), "(.+)"\);$', path.read_text(), re.MULTILINE)
    assert len(set(alphabet)) == 91 and not set(alphabet + digits) & set('"<\\')
    pairs = (
        91 * alphabet.index(high) + alphabet.index(low) for high, low in zip(digits[::2], digits[1::2], strict=True)
    )
    bits = "".join(f"{pair:013b}" for pair in pairs)
    stream = io.BytesIO(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    parts = {url: gzip.decompress(stream.read(size)) for url, size in json.loads(sizes)}
    return parts.pop("").decode(), parts


@pytest.mark.slow
def test_an_export_holds_what_its_page_requests(shape, tmp_path):
    """The original is not compared with itself; meshes beside it are."""
    decimated = shutil.copy(shape[1], tmp_path / "decimated.ply")
    export_page(open_api([shape[0], decimated], shape[1]), tmp_path / "page.html")
    _, responses = unpacked(tmp_path / "page.html")
    assert responses["/file?asset=0"] == shape[0].read_bytes()
    of_shape = {"/file?asset=0", "/layers?asset=0", "/quality?asset=0"}
    assert set(responses) == {"/state", *of_shape, "/mesh?asset=1", "/quality?asset=1", "/mesh?asset=2"}


def test_too_large_a_page_is_refused(shape, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.viewer.export_page.MAX_BYTES", len(packed(page_html("exported_shapes"), {}).encode()))
    with pytest.raises(ValueError, match="more than"):
        export_page(open_api([shape[0]]), tmp_path / "large.html")
    assert not (tmp_path / "large.html").exists()


@pytest.mark.parametrize(("kind", "most"), [("shape", 195_000), ("scene", 80_000)])
def test_a_page_carries_what_its_kind_needs_and_no_more(kind, most, shape, scene_file, tmp_path):
    source = shape[0] if kind == "shape" else scene_file
    export_page(open_api([source]), tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < most + 1.25 * source.stat().st_size
    assert unpacked(tmp_path / "page.html")[0].startswith("<!doctype html>")
