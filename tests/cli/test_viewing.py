"""sinenerf view and snapshot: the address, and one line for bad input."""

import pytest
import trimesh
from support.commands import call_sinenerf
from support.golden_files import GOLDEN
from support.viewer_server import running_viewer

from sinenerf.common.console import say
from sinenerf.viewer.launch import open_api
from sinenerf.viewer.server import serving

FIELD, ADAPTER = GOLDEN / "sine.sine", GOLDEN / "adapters" / "rounded.sine"


@pytest.mark.slow
def test_the_address_and_who_can_reach_it_are_printed(shape):
    for host, wanted in (("127.0.0.1", "Only this machine can open it"), ("0.0.0.0", "There is no password")):
        with running_viewer(shape[0], "--host", host) as process:
            lines = process.stdout.readline() + process.stdout.readline()
        assert "http://127.0.0.1:" in lines and wanted in lines


def test_a_taken_port_is_one_line(shape):
    with serving(open_api([shape[0]]), "127.0.0.1", 0, log=say) as server:
        done = call_sinenerf("view", shape[0], "--port", server.server_port, "--no-browser")
    assert done.returncode == 1 and f"port {server.server_port} is in use" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("view", "{tmp}/none.sine"), "no such file"),
        (("view", "{tmp}/none.ply"), "no such file"),
        (("view", "{tmp}/text.txt"), "cannot be viewed. Give .sine files"),
        (("view", "{tmp}/text.sine"), "is not a .sine file"),
        (("view", "{tmp}/empty"), "holds no results"),
        (("view", "{tmp}/empty", FIELD), "Give one folder of results, or files"),
        (("view", FIELD, "{scene}"), "cannot share a camera with shapes"),
        (("view", FIELD, "--original", FIELD), "the original must be a mesh"),
        (("view", FIELD, "--export", "{tmp}/page.pdf"), "cannot write '.pdf'. Use one of .html, .htm"),
        (("view", FIELD, "--export", "{tmp}/no/page.html"), "the folder"),
        (("view", FIELD, "--host", "192.0.2.1", "--no-browser"), "cannot listen at 192.0.2.1"),
        (("view", FIELD, "--link", "--export", "{tmp}/page.html"), "leave out --original, --export and --quality"),
        (("view", FIELD, "--link", "--host", "0.0.0.0"), "serve no page: leave out --host, --port"),
        (("view", FIELD, "--embed", "--host", "127.0.0.1"), "serve no page: leave out --host, --port"),
        (("view", FIELD, "--export", "{tmp}/page.html", "--port", "7008"), "serve no page: leave out --host, --port"),
        (("view", FIELD, "--export", "{tmp}/page.html", "--no-browser"), "leave out --host, --port and --no-browser"),
        (("view", "{scene}", "--link", "--up", "z"), "is a scene, for which --up does nothing"),
        (("view", "{scene}", "--embed", "--up", "z"), "is a scene, for which --up does nothing"),
        (("view", FIELD, "--page", "https://example.org/"), "give --link, too"),
        (("view", FIELD, "--quality", "iou"), "is no folder of results, of whose plot --quality is the measure"),
        (("view", "{scene}", "--up", "z"), "is a scene, for which --up does nothing"),
        (("view", ADAPTER), "holds neither a shape nor a scene"),
        (("view", ADAPTER, "--link"), "holds neither a shape nor a scene"),
        (("view", ADAPTER, "--embed"), "holds neither a shape nor a scene"),
        (
            ("snapshot", "{scene}", "--output", "{tmp}/x.png", "--tilt", "60"),
            "is a scene, for which --tilt does nothing",
        ),
        (("snapshot", "{scene}", "--output", "{tmp}/x.png", "--turn", "17"), "for which --turn does nothing"),
        (("snapshot", "{scene}", "--output", "{tmp}/x.png", "--level", "0.5"), "for which --level does nothing"),
        (("snapshot", FIELD, "--output", "{tmp}/x.png", "--frames", "9"), "give that, too, or leave it out"),
        (
            ("snapshot", "{tmp}/box.ply", "--output", "{tmp}/x.png", "--level", "0.9"),
            "is a mesh, for which --level does nothing: leave it out",
        ),
        (("snapshot", FIELD), "nothing to write"),
        (("snapshot", FIELD, "--output", "{tmp}/x.bmp"), "cannot write '.bmp'"),
        (("snapshot", FIELD, "--turntable", "{tmp}/x.png"), "cannot write '.png'"),
        (("snapshot", FIELD, "--output", "{tmp}/x.png", "--width", "0"), "width and height must be 1 to"),
    ],
)
def test_bad_input_is_one_line(arguments, message, scene_file, tmp_path):
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "text.sine").write_text("hello")
    (tmp_path / "empty").mkdir()
    trimesh.creation.box().export(tmp_path / "box.ply")
    before = sorted(tmp_path.rglob("*"))
    done = call_sinenerf(*(str(a).format(tmp=tmp_path, scene=scene_file) for a in arguments))
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert sorted(tmp_path.rglob("*")) == before
