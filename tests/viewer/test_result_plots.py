"""A folder of results: the files behind its marks."""

import json
import shutil
from dataclasses import astuple, replace

import pytest
import trimesh
from support.commands import call_sinenerf
from support.sweep_results import result, save_results
from support.viewer_server import respond

from sinenerf.rd.results import Job, Result
from sinenerf.viewer.launch import open_api


@pytest.fixture
def result_keys(shape, scene_file, tmp_path):
    """Keys of a scene and of a shape whose results and files are in tmp_path."""
    keys = []
    for job, quality, file in (
        (Job("photographs", "room", "sine", "nerf", {"rank": 4}), {"psnr": 20.0}, scene_file),
        (Job("shapes", "torus", "sine", "field", {"rank": 2}), {"iou": 0.9}, shape[0]),
    ):
        Result(*astuple(job), quality, {"total": 5000}, 900, 60.0).save(job.path(tmp_path))
        shutil.copy(file, job.path(tmp_path).with_suffix(".sine"))
        keys.append(f"{job.scene}/{job.name}")
    return keys


def test_a_shape_opens_after_a_scene(result_keys, tmp_path):
    api = open_api([tmp_path])
    room, torus = (json.loads(respond(api, "/open", key=key)) for key in result_keys)
    assert (room["kind"], torus["kind"]) == ("scene", "shape")
    assert respond(api, "/file", asset=torus["id"])[:5] == b"SINE\x01"
    assert api.reference.kind == "shape"


def test_a_mark_of_several_seeds_has_the_mean_in_its_note_and_opens_the_first(shape, tmp_path):
    seeds = [replace(result(iou=iou), settings={"seed": seed}) for seed, iou in enumerate((0.8, 0.9))]
    save_results(tmp_path, *seeds)
    first = seeds[0].job.path(tmp_path).with_suffix(".sine")
    shutil.copy(shape[0], first)
    api = open_api([tmp_path])
    (note,) = json.loads(respond(api, "/plot"))["notes"].values()
    assert note["rows"]["iou"] == pytest.approx(0.85) and note["settings"]["seed"] == [0, 1]
    assert json.loads(respond(api, "/open", key=note["key"]))["name"] == first.name


def test_a_file_that_is_not_a_result_is_skipped_with_a_message(result_keys, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    lines = call_sinenerf("view", tmp_path, "--host", "192.0.2.1", "--no-browser").stderr.splitlines()
    assert len(lines) == 2 and lines[0].startswith(f"sinenerf: skipped: {tmp_path}/broken.json: is damaged")


def test_what_results_of_scenes_have_no_use_for_is_refused(tmp_path):
    job = Job("photographs", "room", "sine", "nerf", {"rank": 4})
    Result(*astuple(job), {"psnr": 20.0}, {"total": 5000}, 900, 60.0).save(job.path(tmp_path))
    trimesh.creation.box().export(tmp_path / "box.ply")
    for original, up, option in ((tmp_path / "box.ply", None, "--original"), (None, "z", "--up")):
        with pytest.raises(ValueError, match=f"scenes alone, for which {option} does nothing"):
            open_api([tmp_path], original, up)
