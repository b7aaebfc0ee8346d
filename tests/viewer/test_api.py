"""What the page is made of, and its first request."""

import json
import struct
from typing import get_args

import numpy as np
import pytest
import trimesh
from support.viewer_server import respond

from sinenerf.viewer.api import Jobs, PageName, page_html
from sinenerf.viewer.launch import open_api


@pytest.mark.parametrize("name", get_args(PageName))
def test_a_page_needs_nothing_from_outside(name):
    html = page_html(name)
    body = html.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xhtml", "")
    assert "/* style */" not in html and "/* script */" not in html
    assert 'src="http' not in body and "@import" not in body and 'href="http' not in body


def test_the_state_lists_the_files_and_marks_the_original(shape):
    state = json.loads(respond(open_api([shape[0]], shape[1]), "/state"))
    assert [asset["kind"] for asset in state["assets"]] == ["shape", "mesh"]
    assert [asset["original"] for asset in state["assets"]] == [False, True]


def test_the_page_gets_files_and_meshes_as_they_are(shape):
    api = open_api([shape[0]], shape[1])
    assert respond(api, "/file", asset=0) == shape[0].read_bytes()
    body, mesh = respond(api, "/mesh", asset=1), trimesh.load(shape[1])
    (length,) = struct.unpack_from("<I", body)
    header = json.loads(body[4 : 4 + length])
    vertices = np.frombuffer(body, "<f4", 3 * header["vertices"], 4 + length).reshape(-1, 3)
    faces = np.frombuffer(body, "<u4", 3 * header["faces"], 4 + length + vertices.nbytes).reshape(-1, 3)
    np.testing.assert_allclose(vertices * header["scale"] + header["centre"], mesh.vertices, atol=1e-6)
    assert (faces == mesh.faces).all() and header["caption"]["faces"] == f"{len(mesh.faces):,} faces"
    for path, asset, message in (
        ("/file", 1, "not a .sine file"),
        ("/mesh", 0, "is not a mesh"),
        ("/mesh", 7, "no asset"),
    ):
        with pytest.raises(ValueError, match=message):
            respond(api, path, asset=asset)


def test_running_jobs_are_listed():
    jobs = Jobs()
    with jobs.running("quality"), jobs.running("quality"):
        assert jobs.status() == ["quality", "quality"]
    assert jobs.status() == []
