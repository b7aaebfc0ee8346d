"""The spectrum: the theorem's claim on random matrices, and the command."""

import numpy as np
import pytest
import torch
from support.commands import call_sinenerf, run_sinenerf
from support.golden_files import GOLDEN

from sinenerf.rd.spectrum import (
    SPREADS,
    dense_stable_rank,
    initial_stable_rank,
    measure_rule,
    numerical_rank,
    omega_of,
    random_weight,
    stable_ranks,
)
from sinenerf.sine_file import load
from sinenerf.theory import singular_values, stable_rank_of


def test_spread_is_the_phases_standard_deviation():
    for rank in (1, 4, 16):
        random = torch.Generator().manual_seed(0)
        U, V = ((2 * torch.rand(400, rank, generator=random) - 1) / rank**0.5 for _ in "UV")
        assert float((omega_of(2.0, rank) * U @ V.T).std()) == pytest.approx(2.0, rel=0.1)


def test_the_sine_lifts_the_rank():
    assert torch.linalg.matrix_rank(random_weight(32, 1, 2000)) > 20
    spectra = [singular_values(random_weight(128, 1, omega)) for omega in (1e-3, 10, 30, 100, 200, 400, 2000)]
    ranks, stable = [numerical_rank(v) for v in spectra], [stable_rank_of(v) for v in spectra]
    assert ranks[0] == 1 and ranks == sorted(set(ranks)) and ranks[-1] > 120
    assert stable == sorted(set(stable)) and stable[-1] > 0.7 * dense_stable_rank(128)
    ranks = stable_ranks(48, 1)
    assert ranks[0] < 1.1 and ranks[-1] > 0.8 * dense_stable_rank(48)
    assert np.corrcoef(np.log(SPREADS), ranks)[0, 1] > 0.8


def test_a_rule_says_what_was_measured():
    rule = measure_rule((24, 48), (1, 2, 4))
    assert set(rule.spreads) == {(24, 1), (24, 2), (48, 1), (48, 2), (48, 4)}
    assert np.abs(rule.errors).max() < 0.5
    for (width, rank), spread in rule.spreads.items():
        ranks = [initial_stable_rank(width, rank, spread, seed) for seed in range(3)]
        assert np.mean(ranks) == pytest.approx(dense_stable_rank(width) / 2, rel=0.15)
    assert rule.spread(48, 1) > rule.spread(48, 2) > rule.spread(48, 4)  # more columns need less
    assert rule.spread(48, 2) > rule.spread(24, 2)
    with pytest.raises(ValueError, match=r"larger widths"):
        measure_rule((24,), (1,))


@pytest.mark.slow
def test_command(tmp_path):
    made = run_sinenerf("spectrum", "--output", tmp_path / "a.png", "--widths", 24, 32, "--ranks", 1, 2)
    assert made.returncode == 0 and (tmp_path / "a.png").stat().st_size > 5000, made.stderr
    assert "width 24, k = 1, the paper's init, omega 400: rank 2" in made.stdout
    assert "rule: spread = " in made.stdout and "its error: " in made.stdout


@pytest.mark.parametrize("name", ["a.svg", "a.PNG"])
def test_trained_layers_are_drawn_under_their_names_in_the_file(name, tmp_path):
    drawn = call_sinenerf("spectrum", GOLDEN / "sine.sine", "--output", tmp_path / name)
    assert drawn.returncode == 0 and (tmp_path / name).stat().st_size > 5000, drawn.stderr
    factored = [name for name, layer in load(GOLDEN / "sine.sine").linear_layers().items() if hasattr(layer, "rank")]
    assert [line.split(":")[0] for line in drawn.stdout.splitlines()] == [*factored, str(tmp_path / name)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOLDEN / "dense.sine",), "has no factored layers"),
        ((GOLDEN / "sine.sine", "--ranks", 99), "are of random matrices"),
        (("--ranks", 99, "--widths", 24), "do not fit widths"),
        (("--output", "x.txt"), "x.txt: cannot write '.txt'. Use one of .png, .svg, .pdf"),
        (("--output", "no/x.png"), "no/x.png: the folder no does not exist"),
    ],
)
def test_bad_input_is_refused_before_any_work(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sinenerf.rd.spectrum.stable_ranks", lambda *sizes: pytest.fail("measuring began"))
    refused = call_sinenerf("spectrum", *arguments)
    assert refused.returncode == 1 and message in refused.stderr and refused.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
