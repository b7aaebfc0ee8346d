"""Pages exported as one file."""

import pytest

from sinenerf.viewer.api import page_html
from sinenerf.viewer.export_page import MAX_BYTES, export_page
from sinenerf.viewer.launch import open_api


@pytest.mark.slow
def test_an_export_is_small_enough_or_refused(shape, tmp_path, monkeypatch):
    api = open_api([shape[0]], shape[1])
    used = export_page(api, tmp_path / "page.html")
    assert used in (256, 192, 128) and (tmp_path / "page.html").stat().st_size <= MAX_BYTES
    monkeypatch.setattr("sinenerf.viewer.export_page.MAX_BYTES", len(page_html().encode()) + 20_000)
    with pytest.raises(ValueError, match="more than"):
        export_page(api, tmp_path / "large.html", 64)
    assert not (tmp_path / "large.html").exists()


@pytest.mark.slow
def test_an_export_holds_what_its_page_requests(shape, tmp_path):
    """The original is not compared with itself."""
    export_page(open_api([shape[0]], shape[1]), tmp_path / "page.html", 32)
    html = (tmp_path / "page.html").read_text()
    assert all(f'"/mesh?asset={index}"' in html for index in (0, 1))
    for path in ("/quality", "/distances"):
        assert f'"{path}?asset=0"' in html and f'"{path}?asset=1"' not in html
