"""Pictures of scenes from the page's camera."""

import json

import numpy as np
import pytest
from support.viewer_server import respond

from sinenerf.viewer.jobs import Superseded
from sinenerf.viewer.launch import open_api
from sinenerf.viewer.scene_pictures import PictureRequest


@pytest.fixture
def api(scene_file):
    return open_api([scene_file])


def picture_query(api, tan=None):
    info = json.loads(respond(api, "/scene", asset=0))
    pose = ",".join(map(str, info["pose"]))
    return {"asset": 0, "pose": pose, "tan": tan or info["tan"], "width": 24, "height": 18}


def test_a_scene_is_rendered_from_the_pages_camera(api):
    query = picture_query(api)
    pictures = {output: respond(api, "/picture", output=output, **query) for output in ("rgb", "depth", "normals")}
    assert all(picture.startswith(b"\xff\xd8") for picture in pictures.values()) and len(set(pictures.values())) == 3
    field = api.assets[0].field
    camera = PictureRequest.parse({name: str(value) for name, value in query.items()}).camera()
    np.testing.assert_allclose([camera.fx / camera.width], [field.capture.home.fy / field.capture.home.width], rtol=0.1)
    for bad in ({"width": 5000}, {"pose": "1,2"}, {"tan": "nan"}, {"output": "smell"}):
        with pytest.raises(ValueError, match="picture"):
            respond(api, "/picture", **{**query, **bad})
    assert json.loads(respond(api, "/layers", asset=0))


def test_a_picture_is_abandoned_when_the_page_moves_on(api):
    query = picture_query(api, tan=0.5)
    api.requests.register("page", 5)
    with pytest.raises(Superseded):
        respond(api, "/picture", client="page", request=4, **query)
    assert respond(api, "/picture", client="another page", request=4, **query)
