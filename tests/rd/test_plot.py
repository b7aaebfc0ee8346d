"""Plots and the page."""

from dataclasses import replace

import pytest
from support.commands import call_sinenerf
from support.sweep_results import result, save_results

from sinenerf.rd.curves import curve_points
from sinenerf.rd.plot import figure, save_plots
from sinenerf.rd.plot_page import draw_svg, save_page


def test_two_datasets_in_one_folder(tmp_path):
    for size in (1000, 2000, 4000, 8000, 16000):
        for method in ("sine", "draco"):
            small = result(size, 1 - 50 / size - 0.01 * (method == "draco"), method=method)
            photograph = replace(small, dataset="photographs", scene="fern", quality={"psnr": 20.0 + size / 1e4})
            save_results(tmp_path, *((small, photograph) if method == "sine" else (small,)))
    drawn = call_sinenerf("plot", tmp_path, "--output", tmp_path / "out")
    assert drawn.returncode == 0, drawn.stderr
    assert {"iou-bytes.png", "psnr-bytes.png"} <= {p.name for p in (tmp_path / "out").iterdir()}
    only = call_sinenerf("plot", tmp_path, "--output", tmp_path / "one", "--quality", "psnr")
    assert only.returncode == 0 and not list((tmp_path / "one").glob("iou*"))
    refused = call_sinenerf("plot", tmp_path, "--html", tmp_path / "page.html")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and "give the folder of one" in refused.stderr
    delta = call_sinenerf("bd", "draco", "sine", tmp_path)  # draco is in one of the two
    assert delta.returncode == 0 and "box" in delta.stdout, delta.stderr


def test_a_page_is_refused_before_anything_is_drawn(tmp_path):
    """Under any name it was written, over a picture, too, and a missing folder was noticed after the plots."""
    save_results(tmp_path, *(result(size) for size in (1000, 2000)))
    before = sorted(tmp_path.rglob("*"))
    for page, message in (
        (tmp_path / "plot.png", "cannot write '.png'"),
        (tmp_path / "no/page.html", "does not exist"),
    ):
        refused = call_sinenerf("plot", tmp_path, "--html", page)
        assert refused.returncode == 1 and message in refused.stderr and refused.stderr.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before


def test_what_took_no_time_is_not_drawn_against_time():
    quick = [result(size, 0.9, seconds=0.0) for size in (1000, 2000)]
    assert curve_points(quick, "box", "sine", "iou", "seconds") == []
    svg, keys = draw_svg([*quick, result(3000, 0.95)], "iou", "seconds")
    assert len(keys) == 1 and svg.count('<use id="marks-') == 1


def test_results_of_one_size_are_drawn():
    """Such as those of a plan with only float32 files: an axis with one value has no range of its own."""
    svg, keys = draw_svg([result(1000, 0.9), result(1000, 0.8, "other")], "iou", "bytes")
    assert len(keys) == 2 and svg.count('<use id="marks-') == 2


def test_an_unknown_size_is_drawn_over_the_other_axes(tmp_path):
    save_results(tmp_path, *(replace(result(size), bytes={"total": None}) for size in (1000, 2000)))
    drawn = call_sinenerf("plot", tmp_path, "--html", tmp_path / "page.html")
    assert drawn.returncode == 0 and drawn.stderr == "", drawn.stderr
    header, *rows = (tmp_path / "iou.csv").read_text().splitlines()
    assert all(dict(zip(header.split(","), row.split(","), strict=True))["bytes"] == "" for row in rows)
    found = call_sinenerf("find", tmp_path, "--bytes", 5000)
    assert found.returncode == 1 and "nothing meets bytes 5000" in found.stdout, found.stderr


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("measure", ["iou", "chamfer_l1"])
def test_an_axis_without_points_leaves_the_other_plots(tmp_path, measure):
    """Draco's meshes have no parameters."""
    meshes = [result(size, method="draco", parameters=None, quality={measure: 0.9}) for size in (1000, 2000)]
    for results in (meshes, [replace(mesh, scene=scene) for mesh in meshes for scene in "ab"]):
        names = {path.name for path in save_plots(results, measure, tmp_path, ("bytes", "parameters"))}
        assert {f"{measure}-bytes.png", f"{measure}.csv"} <= names
        assert draw_svg(results, measure, "parameters")[1] == {} and len(draw_svg(results, measure, "bytes")[1]) > 1


def test_plot_marks_every_point_and_page_tells_its_settings(tmp_path):
    settings = {"minutes": 1.0, "name": "</script>"}
    results = [
        result(
            size,
            1 - (20 + 20 * m) / size,
            scene,
            name,
            settings=settings,
            source=tmp_path / f"{scene}{name}{size}.json",
        )
        for scene in ("a", "b")
        for m, name in enumerate(("sine", "draco"))
        for size in (1000, 2000, 4000)
    ]
    made, marks = figure(results, "iou", "bytes")
    assert sum(map(len, marks.values())) == 12 and len(made.axes) == 3
    mean = made.axes[2].lines
    assert len(mean) == 2 and mean[0].get_ydata().min() > mean[1].get_ydata().min()
    (tmp_path / "asine1000.png").write_bytes(b"png")
    save_page(results, "iou", tmp_path / "page.html", ("bytes",))
    page = (tmp_path / "page.html").read_text()
    for name, group in marks.items():  # the page counts on the marks of a group being in order
        drawn = page.split(f'<g id="{name}-bytes">')[1].split("</g>")[0]
        assert [f'id="{name}-bytes-{i}"' in drawn for i in range(len(group) + 1)] == [True] * len(group) + [False]
        assert drawn.count("<use") == len(group)
    assert page.count("</script>") == 1 and "data:image/png;base64" in page and "http" not in page.split("<script>")[1]
    assert len(save_plots(results, "iou", tmp_path / "out", ("bytes",))) == 3
