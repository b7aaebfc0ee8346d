"""Pages exported as one file."""

import pytest

from sinenerf.viewer.api import page_html
from sinenerf.viewer.export_page import export_page
from sinenerf.viewer.launch import open_api


@pytest.mark.slow
def test_an_export_holds_what_its_page_requests(shape, tmp_path):
    """The original is not compared with itself."""
    export_page(open_api([shape[0]], shape[1]), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert '"/file?asset=0"' in html and '"/mesh?asset=1"' in html
    assert '"/quality?asset=0"' in html and '"/quality?asset=1"' not in html


def test_too_large_a_page_is_refused(shape, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.viewer.export_page.MAX_BYTES", len(page_html().encode()))
    with pytest.raises(ValueError, match="more than"):
        export_page(open_api([shape[0]]), tmp_path / "large.html")
    assert not (tmp_path / "large.html").exists()
