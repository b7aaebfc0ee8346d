"""What the page is made of, and its first request."""

import json

from support.viewer_server import respond

from sinenerf.viewer.api import ViewerApi, page_html
from sinenerf.viewer.launch import open_api


def test_the_page_needs_nothing_from_outside():
    html = page_html()
    body = html.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xhtml", "")
    assert "/* style.css */" not in html and "main.js */" not in html
    assert 'src="http' not in body and "@import" not in body and 'href="http' not in body


def test_the_state_lists_the_files_and_marks_the_original(shape):
    state = json.loads(respond(open_api([shape[0]], shape[1]), "/state"))
    assert [asset["kind"] for asset in state["assets"]] == ["shape", "mesh"]
    assert [asset["original"] for asset in state["assets"]] == [False, True]


def test_no_jobs_run_at_first():
    assert ViewerApi([]).jobs.status() == []
