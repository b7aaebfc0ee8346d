"""Curves of rate and quality, and the deltas between them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import call_sinenerf, run_sinenerf
from support.sweep_results import result, save_results

from sinenerf.rd.curves import bjontegaard_delta, choose_measure, curve_points, mean_curve, pareto_front, upper_hull


@pytest.mark.slow
def test_deltas_from_the_command_line(tmp_path):
    sizes = (1000, 2000, 4000, 8000, 16000)
    save_results(
        tmp_path, *(result(size, 1 - 50 / size, scene, "draco") for size in sizes for scene in ("a", "b", "c"))
    )
    save_results(tmp_path, *(result(size // 2, 1 - 50 / size, scene) for size in sizes for scene in ("a", "b")))
    save_results(tmp_path, *(result(size // 2, 1 - 50 / size, "c") for size in sizes[:3]))
    said = run_sinenerf("bd", "draco", "sine", tmp_path, "--json")
    assert said.returncode == 0, said.stderr
    content = json.loads(said.stdout)
    assert (content["anchor"], content["test"], content["measure"]) == ("draco", "sine", "iou")
    assert [scene["scene"] for scene in content["scenes"]] == ["a", "b"]
    for delta in (*content["scenes"], content["mean"]):
        assert delta["rate"] == pytest.approx(-50, abs=0.1) and delta["quality"] > 0
    assert content["scenes"][0]["low"] == pytest.approx(0.95) and content["scenes"][0]["overlap"] > 0.97
    (refused,) = content["refused"]
    assert refused.startswith("c: the second method has 3 points on its hull, too few")
    table = call_sinenerf("bd", "draco", "sine", tmp_path)
    assert "-50.0 %" in table.stdout and "mean of 2" in table.stdout and f"refused: {refused}" in table.stdout
    none = call_sinenerf("bd", "draco", "sine", tmp_path / "shapes" / "c", "--json")
    assert none.returncode == 1 and json.loads(none.stdout)["mean"] is None
    unknown = call_sinenerf("bd", "draco", "sines", tmp_path)
    assert unknown.returncode == 1 and unknown.stderr.endswith("no method is called 'sines': there are draco, sine\n")


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=30))
def test_front_holds_exactly_what_no_point_beats(pairs):
    points = [(float(x), float(y), result()) for x, y in pairs]
    best = pareto_front(points)
    chosen = {(p[0], p[1]) for p in best}
    for x, y, _ in points:
        beaten = any(a <= x and b >= y and (a, b) != (x, y) for a, b, _ in points)
        assert ((x, y) in chosen) != beaten
    assert [p[0] for p in best] == sorted(p[0] for p in best)


def test_a_point_lies_at_its_bytes():
    assert curve_points([result()], "box", "sine", "iou")[0][0] == 1000


def test_delta_of_known_curves():
    sizes = [1000, 2000, 4000, 8000, 16000]
    anchor = [(s, 1 - 50 / s, result()) for s in sizes]
    half = [(s / 2, q, r) for s, q, r in anchor]
    delta = bjontegaard_delta(anchor, half, "box")
    assert delta.rate == pytest.approx(-50, abs=0.01)
    assert 0 < delta.quality < 0.025
    errors = [[(s, 1 - q, r) for s, q, r in points] for points in (anchor, half)]
    mirrored = bjontegaard_delta(*errors, "box", falling=True)
    assert mirrored.rate == pytest.approx(delta.rate) and mirrored.quality == pytest.approx(-delta.quality)
    assert delta.overlap > 0.97


@given(st.lists(st.tuples(st.floats(100, 1e5), st.floats(0, 1)), min_size=1, max_size=30), st.booleans())
def test_hull_is_concave_and_nothing_lies_above_it(pairs, falling):
    points = [(x, y, result()) for x, y in pairs]
    best = upper_hull(points, falling)
    sign = -1 if falling else 1
    xs, ys = np.log([p[0] for p in best]), sign * np.array([p[1] for p in best])
    assert (np.diff(xs) > 0).all() and (np.diff(ys) > 0).all()
    slopes = np.diff(ys) / np.diff(xs)
    assert (np.diff(slopes) < 0).all()
    for x, y, _ in points:
        if np.log(x) >= xs[0]:
            assert sign * y <= np.interp(np.log(x), xs, ys) + 1e-9


def test_near_twins_do_not_disturb_a_delta():
    """Two sizes that differ by a byte made the interpolation overshoot."""
    anchor = [(s, 1 - 50 / s, result()) for s in (1000, 2000, 4000, 8000, 16000)]
    twins = sorted([*anchor, (4001, 1 - 49 / 4000, result())], key=lambda p: p[0])
    assert abs(bjontegaard_delta(anchor, twins, "box").quality) < 1e-3
    assert abs(bjontegaard_delta(anchor, twins, "box").rate) < 3


def test_curves_without_a_common_size_have_no_delta_of_quality():
    """The package returned NaN, which is not valid JSON."""
    small = [(s, 1 - 50 / s, result()) for s in (1000, 1500, 2000, 4000)]
    large = [(10 * s, q, r) for s, q, r in small]
    delta = bjontegaard_delta(large, small, "box")
    assert delta.quality is None and delta.rate == pytest.approx(-90, abs=0.01)


def test_delta_is_refused_where_it_would_mean_nothing():
    low, high = ([(s, q - 50 / s, result()) for s in (1000, 2000, 3000, 4000)] for q in (0.5, 0.9))
    with pytest.raises(ValueError, match="share 0 %"):
        bjontegaard_delta(low, high, "box")
    with pytest.raises(ValueError, match="the second method has 3 points"):
        bjontegaard_delta(low, low[:3], "box")


def test_mean_curve_covers_what_all_scenes_cover():
    a = [(s, q, result()) for s, q in ((100, 0.1), (1000, 0.3))]
    b = [(s, q, result()) for s, q in ((200, 0.2), (2000, 0.2))]
    x, y = mean_curve([a, b])
    assert x[0] == pytest.approx(200) and x[-1] == pytest.approx(1000)
    assert y[-1] == pytest.approx(0.25)
    assert mean_curve([a, []]) is None


def test_measures(tmp_path):
    with pytest.raises(ValueError, match="no result has a quality 'psnr': there are iou"):
        choose_measure([result()], "psnr")
    with pytest.raises(ValueError, match="several datasets"):
        choose_measure([result(), result(dataset="photographs")], None)
