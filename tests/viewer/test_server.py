"""What the page is answered, what it is made of, snapshots, and one line for bad input."""

import json
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import astuple
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import call_sinenerf

from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.surface import extract, find_surface
from sinenerf.rd.results import Job, Result
from sinenerf.theory import stable_rank
from sinenerf.viewer.api import Answers, page
from sinenerf.viewer.array_packets import differences, pack, quantise, unpack
from sinenerf.viewer.assets import Item, open_items, shared_frame
from sinenerf.viewer.export_page import LARGEST, export
from sinenerf.viewer.jobs import MOST_ASKERS, Jobs, Stale, Turns
from sinenerf.viewer.launch import gather
from sinenerf.viewer.layer_inspection import inside
from sinenerf.viewer.scene_pictures import Look
from sinenerf.viewer.server import Server

GOLDEN = Path(__file__).parents[1] / "golden" / "sine.sine"


def ask(answers, path, **query):
    return answers.routes[path]({name: str(value) for name, value in query.items()})[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.integers(0, 2**32 - 1))
def test_packets_keep_positions_and_faces(count, seed):
    random = np.random.default_rng(seed)
    vertices = 10 * random.standard_normal((count + 3, 3))
    faces = random.integers(0, count + 3, (count, 3))
    fractions, low, size = quantise(vertices)
    data = pack({"a": 1}, {"positions": fractions, "faces": differences(faces)})
    header, arrays = unpack(data)
    assert header == {"a": 1}
    back = np.array(low) + np.array(size) * arrays["positions"].reshape(-1, 3) / 65535
    assert np.abs(back - vertices).max() <= max(size) / 65535
    np.testing.assert_array_equal(np.cumsum(arrays["faces"]).reshape(-1, 3), faces)


def test_a_newer_turn_makes_an_older_one_stale():
    turns = Turns()
    first = turns.take("page", 1)
    first()
    other = turns.take("other page", 1)
    second = turns.take("page", 2)
    with pytest.raises(Stale):
        first()
    second(), other()
    with pytest.raises(Stale):
        turns.take("page", 1)()  # arrives late


def test_askers_are_forgotten_in_the_end():
    turns = Turns()
    first = turns.take("first", 1)
    for number in range(2 * MOST_ASKERS):
        turns.take(f"page {number}", 1)
    assert len(turns._newest) == MOST_ASKERS
    first()


def test_jobs_say_what_runs():
    jobs = Jobs()
    with jobs.job("meshing") as say:
        say("12 points")
        assert jobs.lines() == ["meshing: 12 points"]
    assert jobs.lines() == []


def test_the_quick_surface_is_the_sure_one_where_it_is_large(shape):
    field = OccupancyField.load(shape[0])
    quick, sure = find_surface(field, 96, quick=True), extract(field, 96)
    assert quick.evaluations < 0.8 * sure.evaluations
    assert 0.97 * len(sure.mesh.faces) < len(quick.faces) <= len(sure.mesh.faces)  # it may miss specks alone

    class Enough(Exception):
        pass

    def stop(evaluations):
        raise Enough

    with pytest.raises(Enough):
        find_surface(field, 96, watch=stop)


def test_meshes_distances_and_quality(shape):
    answers = gather([shape[0]], shape[1])
    state = json.loads(ask(answers, "/state"))
    assert [item["kind"] for item in state["items"]] == ["field", "mesh"]
    assert [item["original"] for item in state["items"]] == [False, True]
    header, arrays = unpack(ask(answers, "/mesh", item=0, resolution=48))
    assert header["faces"] * 3 == len(arrays["faces"]) and "rank 2" in header["facts"]["layer"]
    assert header["facts"]["size"] == f"{shape[0].stat().st_size:,} bytes"
    told, distances = unpack(ask(answers, "/distance", item=0, resolution=48))
    assert 3 * len(distances["distance"]) == len(arrays["positions"])
    apart = np.abs(distances["distance"]) / 32767 * told["largest"]
    assert np.median(apart) < 0.02 * told["diagonal"]  # it was fitted
    quality = json.loads(ask(answers, "/quality", item=0))
    assert quality["iou"] > 0.9 and quality["chamfer_l1"] < 0.01
    with pytest.raises(ValueError, match="no original"):
        ask(gather([shape[0]]), "/distance", item=0)


def test_distances_are_signed_and_in_the_originals_unit(tmp_path):
    trimesh.creation.icosphere(4, radius=5.0).export(tmp_path / "ball.ply")
    answers = gather([tmp_path / "ball.ply"], tmp_path / "ball.ply")
    points = np.array([[7.0, 0, 0], [0, 4.0, 0], [0, 0, -5.5]])
    np.testing.assert_allclose(answers.shapes.distance(points), [2, -1, 0.5], atol=0.02)


def test_files_of_one_shape_share_a_frame_and_others_do_not(shape, tmp_path):
    moved = trimesh.load(shape[1])
    moved.vertices *= 1.01
    moved.export(tmp_path / "rounded.ply")
    moved.vertices += 20
    moved.export(tmp_path / "elsewhere.ply")
    first = Item.of(shape[0])
    assert shared_frame(Item.of(tmp_path / "rounded.ply"), first) == first.placement
    elsewhere = Item.of(tmp_path / "elsewhere.ply")
    assert shared_frame(elsewhere, first) == elsewhere.placement


def test_an_original_among_the_files_is_read_once(shape):
    answers = gather([shape[1], shape[0]], shape[1])
    assert [item.path for item in answers.items] == [shape[1], shape[0]]
    assert answers.items[0] is answers.shapes.original


def test_a_draco_mesh_is_looked_at(shape, tmp_path):
    from sinenerf.rd.programs.occupancy import draco

    path = tmp_path / "torus.drc"
    path.write_bytes(draco(trimesh.load(shape[1]), 400, 10))
    answers = gather([path])
    assert unpack(ask(answers, "/mesh", item=0))[0]["faces"] <= 400
    path.write_bytes(b"no draco at all")
    with pytest.raises(ValueError, match="cannot be read as a Draco mesh"):
        Item.of(path).load()


def test_inside_the_network(shape):
    field = OccupancyField.load(shape[0])
    layers = {layer["name"]: layer for layer in inside(shape[0], field)}
    factored = layers["trunk.layers.1"]
    assert set(factored["pictures"]) == {"U", "V", "W"} and "k = 2" in factored["equation"]
    assert factored["stable_rank"] == pytest.approx(stable_rank(field.network.trunk.layers[1].weight))
    assert len(factored["singular"]) == 32 and factored["parameters"] == (32 + 30) * 2 + 32
    total = sum(sum(layer["bytes"].values()) for layer in layers.values())
    assert 0.5 * shape[0].stat().st_size < total < shape[0].stat().st_size


def test_a_scene_is_rendered_from_the_pages_camera(scene_file):
    answers = gather([scene_file])
    told = json.loads(ask(answers, "/scene", item=0))
    query = {"item": 0, "pose": ",".join(map(str, told["pose"])), "tan": told["tan"], "width": 24, "height": 18}
    pictures = {what: ask(answers, "/picture", what=what, **query) for what in ("rgb", "depth", "normals")}
    assert all(picture.startswith(b"\xff\xd8") for picture in pictures.values()) and len(set(pictures.values())) == 3
    field = answers.items[0].field
    view = Look.parse({name: str(value) for name, value in query.items()}).view()
    np.testing.assert_allclose([view.fx / view.width], [field.capture.home.fy / field.capture.home.width], rtol=0.1)
    for bad in ({"width": 5000}, {"pose": "1,2"}, {"tan": "nan"}, {"what": "smell"}):
        with pytest.raises(ValueError, match="picture"):
            ask(answers, "/picture", **{**query, **bad})
    assert json.loads(ask(answers, "/inside", item=0))


def test_a_picture_is_given_up_when_the_page_moves_on(scene_file):
    answers = gather([scene_file])
    told = json.loads(ask(answers, "/scene", item=0))
    query = {"item": 0, "pose": ",".join(map(str, told["pose"])), "tan": 0.5, "width": 24, "height": 18}
    answers.turns.take("page", 5)
    with pytest.raises(Stale):
        ask(answers, "/picture", asker="page", turn=4, **query)
    assert ask(answers, "/picture", asker="another page", turn=4, **query)


@pytest.fixture
def served(shape):
    server = Server(gather([shape[0]]), "127.0.0.1", 0)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_server_answers_and_refuses(served):
    def status(path, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(served.url + path, headers=named)
        try:
            return urllib.request.urlopen(request).status, ""
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    assert status("")[0] == status("state")[0] == status("mesh?item=0&resolution=16&quick=1")[0] == 200
    assert status("nowhere")[0] == 404
    assert status("mesh?item=7")[0] == status("mesh?item=0&resolution=9999")[0] == 400
    assert "no surface at level" in status("mesh?item=0&resolution=16&level=0.9999999")[1]
    assert status("state", Host="evil.example")[0] == 403  # a name that was made to point here
    assert status("state", Sec_Fetch_Site="cross-site") == (403, "answers are for this page's own scripts\n")
    assert status("state", Sec_Fetch_Site="same-origin")[0] == status("", Sec_Fetch_Site="cross-site")[0] == 200
    assert status("../../etc/passwd")[0] == 404


@pytest.mark.parametrize("error", [KeyError("rank"), MemoryError("of\na mesh")])
def test_a_failure_is_said_by_page_and_terminal_and_survived(error, served, capsys):
    def fail(query):
        raise error

    served.answers.routes["/jobs"] = fail
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(served.url + "jobs")
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    assert caught.value.code == 500 and json.load(caught.value) == {"error": f"the server failed: {said}"}
    assert capsys.readouterr().err == f"sinenerf: /jobs: {said}\n"
    assert urllib.request.urlopen(served.url + "state").status == 200


def test_a_port_is_free_again_at_once(shape):
    """Though the last browser's connection still lingers there."""
    server = Server(gather([shape[0]]), "127.0.0.1", 0)
    Thread(target=server.serve_forever, daemon=True).start()
    with socket.create_connection(("127.0.0.1", server.server_port)) as browser:
        browser.sendall(b"GET /state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while browser.recv(4096):
            pass
    server.shutdown()
    server.server_close()
    Server(gather([shape[0]]), "127.0.0.1", server.server_port).server_close()


def test_a_taken_port_is_said(served, shape):
    said = call_sinenerf("view", shape[0], "--port", served.server_port, "--no-browser")
    assert said.returncode == 1 and f"port {served.server_port} is in use" in said.stderr
    assert said.stderr.count("\n") == 1


def test_where_it_listens_is_said(shape):
    for host, wanted in (("127.0.0.1", "Only this machine can open it"), ("0.0.0.0", "There is no password")):
        program = [sys.executable, "-m", "sinenerf", "view", shape[0], "--port", "0", "--host", host, "--no-browser"]
        with subprocess.Popen(list(map(str, program)), stdout=subprocess.PIPE, text=True) as running:
            lines = running.stdout.readline() + running.stdout.readline()
            running.terminate()
        assert "http://127.0.0.1:" in lines and wanted in lines


def test_the_page_needs_nothing_from_outside():
    html = page()
    body = html.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xhtml", "")
    assert "/* style */" not in html and "main.js */" not in html
    assert 'src="http' not in body and "@import" not in body and 'href="http' not in body


def test_an_export_is_small_enough_or_refused(shape, tmp_path, monkeypatch):
    answers = gather([shape[0]], shape[1])
    used = export(answers, tmp_path / "page.html")
    assert used in (256, 192, 128) and (tmp_path / "page.html").stat().st_size <= LARGEST
    monkeypatch.setattr("sinenerf.viewer.export_page.LARGEST", len(page().encode()) + 20_000)
    with pytest.raises(ValueError, match="more than"):
        export(answers, tmp_path / "large.html", 64)
    assert not (tmp_path / "large.html").exists()


def test_an_export_holds_what_its_page_asks_for(shape, tmp_path):
    """The original is not compared with itself."""
    export(gather([shape[0]], shape[1]), tmp_path / "page.html", 32)
    html = (tmp_path / "page.html").read_text()
    assert all(f'"/mesh?item={index}"' in html for index in (0, 1))
    for path in ("/quality", "/distance"):
        assert f'"{path}?item=0"' in html and f'"{path}?item=1"' not in html


def results_folder(folder, shape, scene_file):
    """The key of a shape and of a scene in a folder of results, their files beside them."""
    keys = []
    for job, quality, file in (
        (Job("photographs", "room", "sine", "nerf", {"rank": 4}), {"psnr": 20.0}, scene_file),
        (Job("shapes", "torus", "sine", "field", {"rank": 2}), {"iou": 0.9}, shape[0]),
    ):
        Result(*astuple(job), quality, {"total": 5000}, 900, 60.0).save(job.path(folder))
        shutil.copy(file, job.path(folder).with_suffix(".sine"))
        keys.append(f"{job.scene}/{job.key}")
    return keys


def test_a_shape_opens_after_a_scene(shape, scene_file, tmp_path):
    keys = results_folder(tmp_path, shape, scene_file)
    answers = gather([tmp_path])
    room, torus = (json.loads(ask(answers, "/open", key=key)) for key in keys)
    assert (room["kind"], torus["kind"]) == ("scene", "field")
    header, _ = unpack(ask(answers, "/mesh", item=torus["id"], resolution=16, quick=1))
    assert header["faces"] > 0 and header["scale"] > 0


def test_what_is_no_result_is_passed_over_in_a_line(shape, scene_file, tmp_path):
    results_folder(tmp_path, shape, scene_file)
    (tmp_path / "broken.json").write_text("{")
    said = call_sinenerf("view", tmp_path, "--host", "192.0.2.1", "--no-browser").stderr.splitlines()
    assert len(said) == 2 and said[0].startswith(f"sinenerf: passed over: {tmp_path}/broken.json: is damaged")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("view", "{tmp}/none.sine"), "no such file"),
        (("view", "{tmp}/none.ply"), "no such file"),
        (("view", "{tmp}/text.txt"), "nothing to look at. Give .sine files"),
        (("view", "{tmp}/text.sine"), "is not a .sine file"),
        (("view", "{tmp}/empty"), "holds no results"),
        (("view", "{tmp}/empty", GOLDEN), "Give one folder of results, or files"),
        (("view", GOLDEN, "{scene}"), "it shares no camera with shapes"),
        (("view", GOLDEN, "--original", GOLDEN), "the original is a mesh"),
        (("view", GOLDEN, "--export", "{tmp}/page.pdf"), "a page is written as .html"),
        (("view", GOLDEN, "--export", "{tmp}/no/page.html"), "the folder"),
        (("view", GOLDEN, "--host", "192.0.2.1", "--no-browser"), "cannot listen at 192.0.2.1"),
        (("snapshot", GOLDEN), "nothing to write"),
        (("snapshot", GOLDEN, "--output", "{tmp}/x.bmp"), "cannot write '.bmp' here"),
        (("snapshot", GOLDEN, "--turntable", "{tmp}/x.png"), "cannot write '.png' here"),
        (("snapshot", GOLDEN, "--output", "{tmp}/x.png", "--width", "0"), "width and height run from 1"),
    ],
)
def test_bad_input_is_one_line(arguments, said, scene_file, tmp_path):
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "text.sine").write_text("hello")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    made = call_sinenerf(*(str(a).format(tmp=tmp_path, scene=scene_file) for a in arguments))
    assert made.returncode == 1 and said in made.stderr, made.stderr
    assert made.stderr.count("\n") == 1, made.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_nerfstudio_and_viser_stay_out(shape):
    code = (
        "import sys; from pathlib import Path; from sinenerf.viewer.launch import gather, prepare; "
        f"prepare(gather([Path({str(shape[0])!r})])); "
        "print([m for m in ('nerfstudio', 'viser', 'trimesh', 'open3d') if m in sys.modules])"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert made.stdout.strip() == "[]", made.stdout + made.stderr


def test_no_items_is_said():
    with pytest.raises(ValueError, match="nothing to look at"):
        open_items([])
    assert Answers([]).jobs.lines() == []
