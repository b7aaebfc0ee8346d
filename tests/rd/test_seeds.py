"""Of several seeds the mean counts, not the best."""

import csv
import json
import re
from dataclasses import replace
from statistics import stdev

import pytest
from support.sweep_results import result

from sinenerf.rd.curves import compare_methods
from sinenerf.rd.plot import figure, save_table
from sinenerf.rd.plot_page import save_page
from sinenerf.rd.seeds import average_seeds, split_by_seed
from sinenerf.rd.size_table import compare_sizes

SIZES = (1000, 2000, 4000, 8000, 16000)


def seeded(seed, size=1000, iou=0.9, **changes):
    made = result(size, iou, **changes)
    return replace(made, settings=made.settings | {"seed": seed, "bytes": made.settings["width"]})


def curve(seed, factor, method="sine", **changes):
    """Results that need `factor` times the bytes of the anchor below."""
    made = [(seeded(seed, round(factor * size), 1 - 50 / size, method=method, **changes), size) for size in SIZES]
    return [replace(r, settings=r.settings | {"width": size, "bytes": size}) for r, size in made]


def test_results_that_differ_by_the_seed_alone_become_their_mean():
    seeds = [seeded(0, iou=0.8), seeded(1, iou=0.9)]
    other = replace(seeded(1), settings=seeds[1].settings | {"rank": 3})
    longer = replace(seeds[1], bytes={"total": 1300}, seconds=80.0)
    mean, alone = average_seeds([seeds[0], longer, other])
    assert mean.quality == {"iou": pytest.approx(0.85)} and mean.size == 1150 and mean.seconds == 70
    assert mean.settings["seed"] == [0, 1]
    assert alone == other


def test_what_one_seed_lacks_the_mean_lacks():
    lacking = replace(seeded(1), quality={"iou": None}, bytes={"total": None})
    (mean,) = average_seeds([seeded(0), lacking])
    assert mean.quality == {"iou": None} and mean.size is None


def test_methods_of_one_seed_are_compared_with_every_seed_of_others():
    draco = result(method="draco")
    parts = split_by_seed([draco, seeded(0), seeded(1), seeded(1, method="dense"), seeded(2, method="dense")])
    assert parts == [[draco, seeded(1), seeded(1, method="dense")]]
    assert split_by_seed([draco, seeded(3)]) == []


def test_a_delta_of_several_seeds_has_a_deviation():
    factors = (0.4, 0.5, 0.6)
    anchor = curve(0, 1, "dense")
    results = anchor + [r for seed, factor in enumerate(factors) for r in curve(seed, factor)]
    (delta,) = compare_methods(results, "dense", "sine").deltas
    assert delta.rate == pytest.approx(-50, abs=0.1)
    assert delta.deviation == pytest.approx(100 * stdev(factors), abs=0.1)
    unfinished = [r for r in results if r.settings["seed"] != 2 or r.size < 1000]
    (delta,) = compare_methods(unfinished, "dense", "sine").deltas
    assert delta.deviation == pytest.approx(100 * stdev(factors[:2]), abs=0.1)
    (single,) = compare_methods(anchor + curve(0, 0.4), "dense", "sine").deltas
    assert single.deviation is None


def test_the_mean_of_scenes_varies_less_than_each():
    results = [
        r
        for scene in ("a", "b", "c", "d")
        for r in (*curve(0, 1, "dense", scene=scene), *curve(0, 0.4, scene=scene), *curve(1, 0.6, scene=scene))
    ]
    comparison = compare_methods(results, "dense", "sine")
    assert comparison.mean_deviation == pytest.approx(comparison.deltas[0].deviation / 2)


def test_tables_and_plots_show_the_mean():
    results = curve(0, 1, "draco") + curve(0, 0.4) + curve(1, 0.6)
    assert [row.bytes for row in compare_sizes(results, "draco", "sine")] == [size // 2 for size in SIZES]
    _, marks = figure(results, "iou", "bytes")
    shown = sorted(r.size for group in marks.values() for r in group if r.method == "sine")
    assert shown == [size // 2 for size in SIZES]


def test_the_page_and_the_table_have_the_mean(tmp_path):
    results = [seeded(seed, iou=iou, source=tmp_path / f"{seed}.json") for seed, iou in enumerate((0.8, 0.9))]
    save_page(results, "iou", tmp_path / "page.html", ("bytes",))
    (data,) = re.findall(r'\{"marks": .*\}', (tmp_path / "page.html").read_text())
    (note,) = json.loads(data)["notes"].values()
    assert note["rows"]["iou"] == pytest.approx(0.85) and note["settings"]["seed"] == [0, 1]
    save_table(results, tmp_path / "iou.csv")
    rows = list(csv.DictReader((tmp_path / "iou.csv").open()))
    assert [(row["seed"], row["source"]) for row in rows] == [("0", "0.json"), ("1", "1.json"), ("0 1", "")]
    assert float(rows[2]["iou"]) == pytest.approx(0.85)
