"""The links and lines of HTML that `sinenerf view --link` and `--embed` print."""

from urllib.parse import parse_qs, urlsplit

import pytest
from support.commands import call_sinenerf
from support.golden_files import GOLDEN

from sinenerf.sine_file import load
from sinenerf.viewer.sharing import link_to


def test_links_and_elements_are_printed(shape, scene_file):
    done = call_sinenerf("view", shape[0], "--link", "--page", "https://example.org/view.html", "--up", "z")
    address = urlsplit(done.stdout.strip())
    assert done.returncode == 0 and address.netloc == "example.org"
    assert parse_qs(address.fragment)["up"] == ["z"]
    done = call_sinenerf("view", shape[0], scene_file, "--embed")
    script, first, second = done.stdout.splitlines()
    assert done.returncode == 0 and script.endswith('src="sine-view.js"></script>') and "sine-view.js" in done.stderr
    assert "python -m http.server" in done.stderr
    assert first.startswith('<sine-view src="torus.sine"') and 'alt="3D shape torus"' in first
    assert second.startswith(f'<sine-view src="{scene_file.name}"') and "up=" not in second
    assert 'alt="3D scene' in second


def test_what_no_link_can_hold_is_one_line(tmp_path):
    damaged = tmp_path / "damaged.sine"
    damaged.write_bytes((GOLDEN / "sine.sine").read_bytes() + bytes(10_000))
    for path, message in ((damaged, "checksum"), (tmp_path / "none.sine", "no such file")):
        for option in ("--link", "--embed"):
            done = call_sinenerf("view", path, option)
            assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1


def test_a_large_shape_is_refused_for_a_link(tmp_path, shape):
    from sinenerf.occupancy.config import OccupancyConfig
    from sinenerf.occupancy.field import OccupancyField

    path = tmp_path / "large.sine"
    OccupancyField(OccupancyConfig(width=64, rank=32), load(shape[0]).placement).save(path)
    with pytest.raises(ValueError, match=r"too many for a link, which holds 8,192.*--export.*--embed"):
        link_to(path)
