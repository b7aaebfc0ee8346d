"""The table by size: what another method needs for the same quality."""

import json

import pytest
from support.commands import call_sinenerf
from support.sweep_results import result, save_results

from sinenerf.rd.size_table import compare_sizes

SIZES = (1000, 2000, 4000, 8000, 16000)


def meshes(scene="box"):
    """Their IoU and Chamfer distance are those of the size."""
    for size in SIZES:
        yield result(
            size,
            scene=scene,
            method="draco",
            quality={"iou": 1 - 50 / size, "chamfer_l1": 20 / size},
            settings={"faces": size, "bits": 9},
            seconds=size / 1000,
            decode_seconds=size / 1e6,
        )


def field(size, iou_of, chamfer_of, scene="box", width=9, seconds=60.0):
    """A field as good as meshes of other sizes."""
    return result(
        size - 1,
        scene=scene,
        quality={"iou": 1 - 50 / iou_of, "chamfer_l1": 20 / chamfer_of},
        settings={"minutes": 1.0, "bytes": size, "width": width},
        seconds=seconds,
        decode_seconds=2.0,
    )


def test_what_the_other_method_needs_for_the_same_quality():
    fields = [field(1000, 2000, 4000), field(5000, 16000, 8000)]
    first, second = compare_sizes([*meshes(), *fields], "draco", "sine")
    assert (first.scene, first.size, first.bytes, first.seconds, first.decode_seconds) == ("box", 1000, 999, 60.0, 2.0)
    assert first.equivalents["iou"].bytes == pytest.approx(2000)
    assert first.equivalents["iou"].seconds == pytest.approx(2) and first.equivalents["iou"].decode_seconds == 0.002
    assert first.equivalents["chamfer_l1"].bytes == pytest.approx(4000)
    assert {name: other.bytes for name, other in second.equivalents.items()} == pytest.approx(
        {"iou": 16000, "chamfer_l1": 8000}
    )
    (only,) = compare_sizes([*meshes(), fields[0]], "draco", "sine", "iou")
    assert set(only.equivalents) == {"iou"}


def test_between_two_points_bytes_are_interpolated_by_their_logarithm():
    halfway = result(999, quality={"iou": (0.95 + 0.975) / 2}, settings={"minutes": 1.0, "bytes": 1000})
    (row,) = compare_sizes([*meshes(), halfway], "draco", "sine", "iou")
    assert row.equivalents["iou"].bytes == pytest.approx(1000 * 2**0.5)


def test_nothing_is_said_beyond_the_hull_of_the_other_method():
    below, above = compare_sizes([*meshes(), field(1000, 900, 4000), field(5000, 8000, 17000)], "draco", "sine")
    assert below.equivalents["iou"] is None and below.equivalents["chamfer_l1"] is not None
    assert above.equivalents["iou"] is not None and above.equivalents["chamfer_l1"] is None


def test_of_a_size_the_best_result_counts():
    fields = [field(1000, 2000, 4000, width=8), field(1000, 8000, 4000, width=9), field(1000, 4000, 4000, width=10)]
    (row,) = compare_sizes([*meshes(), *fields], "draco", "sine")
    assert row.equivalents["iou"].bytes == pytest.approx(8000)


def test_a_method_without_sizes_is_refused():
    with pytest.raises(ValueError, match="no result of 'draco' has a size of its own, the setting bytes"):
        compare_sizes([*meshes(), field(1000, 2000, 4000)], "sine", "draco")


def test_the_table_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    save_results(tmp_path, *meshes("a"), *meshes("b"))
    save_results(tmp_path, field(1000, 2000, 4000, "a"), field(1000, 8000, 16000, "b"), field(5000, 8000, 17000, "a"))
    shown = call_sinenerf("bd", "draco", "sine", tmp_path, "--by-size")
    assert shown.returncode == 0, shown.stderr
    lines = [
        [cell.strip() for cell in line.split("\u2502")[1:-1]] for line in shown.stdout.splitlines() if "\u2502" in line
    ]
    assert lines == [
        ["1,000", "999", "0.9844", "4,000, -75 % (-50 %)", "8,000, -88 % (-75 %)", "60, 5", "2, 0.005"],
        ["5,000", "4,999", "0.9938", "8,000, -38 % (-38 %)", "-", "60, 8", "2, 0.008"],
    ]
    said = call_sinenerf("bd", "draco", "sine", tmp_path, "--by-size", "--json")
    rows = json.loads(said.stdout)
    assert [(row["scene"], row["size"]) for row in rows] == [("a", 1000), ("b", 1000), ("a", 5000)]
    assert rows[2]["equivalents"]["chamfer_l1"] is None
    unknown = call_sinenerf("bd", "draco", "sines", tmp_path, "--by-size")
    assert unknown.returncode == 1 and unknown.stderr.endswith("no method is called 'sines': there are draco, sine\n")


def test_small_distances_are_shown(tmp_path, monkeypatch):
    """Four decimals made them 0.0001 or 0.0000."""
    monkeypatch.setenv("COLUMNS", "200")
    sizes = (1000, 2000, 4000, 8000, 16000)
    for factor, method in ((1, "draco"), (2, "sine")):
        qualities = {size // factor: {"chamfer_l1": 0.1 / size} for size in sizes}
        settings = {size: {"minutes": 1.0, "bytes": size} for size in qualities}
        made = (result(n, method=method, quality=qualities[n], settings=settings[n]) for n in qualities)
        save_results(tmp_path, *made)
    shown = call_sinenerf("bd", "draco", "sine", tmp_path, "--quality", "chamfer_l1")
    assert "chamfer_l1 (less is better)" in shown.stdout and "-2.12e-05" in shown.stdout, shown
    shown = call_sinenerf("bd", "draco", "sine", tmp_path, "--quality", "chamfer_l1", "--by-size")
    assert all(f" {value} " in shown.stdout for value in ("0.0001", "5e-05", "6.25e-06")), shown
