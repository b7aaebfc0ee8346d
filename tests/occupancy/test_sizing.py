"""The network and training that suit a file of a given size."""

import math
from dataclasses import fields

import pytest

from sinenerf.occupancy.architecture import build_network, shapes_of
from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.header import check_writable
from sinenerf.occupancy.sizing import BITS_PER_PARAMETER, DEFAULT_BYTES, settings_for_size, split_settings

LAYERS = ["sine", "low-rank", "dense"]


def parameters_of(architecture) -> int:
    return sum(math.prod(shape) for shape in shapes_of(architecture))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("bytes", [1, 10, 4 * 10**6, 10**7])
@pytest.mark.parametrize("anchored", [True, False])
def test_extreme_sizes_give_a_network(layer, bytes, anchored):
    architecture, _ = split_settings({"layer": layer, "bytes": bytes, "anchored": anchored})
    check_writable(architecture)
    assert layer == "dense" or architecture.rank < architecture.width
    build_network(architecture)


@pytest.mark.parametrize("bytes, rank", [(1000, 20), (2200, 36), (5000, 60)])
def test_a_width_is_no_smaller_than_the_rank(bytes, rank):
    architecture, _ = split_settings({"bytes": bytes, "rank": rank})
    assert architecture.width >= rank == architecture.rank
    build_network(architecture)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("bytes", [400, 1000, 2200, 3000, 8000, 28000, 100_000, 150_000])
def test_a_network_fills_its_bytes(layer, bytes):
    architecture, config = split_settings({"layer": layer, "bytes": bytes})
    bits = BITS_PER_PARAMETER if bytes < 56000 else 7.7
    assert 0.7 * 8 * bytes / bits < parameters_of(architecture) <= 8 * bytes / bits
    build_network(architecture)
    config.check()


@pytest.mark.parametrize("layer", LAYERS)
def test_larger_files_have_larger_networks_and_smaller_steps(layer):
    fits = [split_settings({"layer": layer, "bytes": size}) for size in range(500, 40000, 500)]
    sizes, rates = (
        [parameters_of(architecture) for architecture, _ in fits],
        [config.learning_rate for _, config in fits],
    )
    assert rates == sorted(rates, reverse=True)
    # by a wide margin: just after a step of the width, less is left for the rank
    assert all(later > 1.5 * earlier for earlier, later in zip(sizes, sizes[len(sizes) // 2 :], strict=False))


@pytest.mark.parametrize("layer", LAYERS)
def test_large_files_have_deeper_networks_and_points_nearer_to_the_surface(layer):
    (small, wide), (large, narrow) = (split_settings({"layer": layer, "bytes": size}) for size in (5000, 100_000))
    assert wide.growth == 1 and narrow.growth == 4
    assert small.depth < large.depth and wide.near < narrow.near <= 1 and wide.distance > narrow.distance
    assert split_settings({"layer": layer, "bytes": 100_000, "depth": 2})[0].depth == 2


def test_given_settings_stay():
    given = {"bytes": 5000, "width": 96, "spread": 4.0, "optimizer": "adam", "batch": 99, "learning_rate": 0.5}
    architecture, config = split_settings(given)
    assert (architecture.width, architecture.spread) == (96, 4.0) and architecture.rank > 10
    assert (config.optimizer, config.batch, config.learning_rate) == ("adam", 99, 0.5)
    assert config.decay == 0 and split_settings({"bytes": 5000})[1].decay == 0.02  # only tried with SOAP
    assert split_settings({"bytes": 5000, "rank": 3})[0].width > 200
    assert split_settings({"bytes": 5000, "width": 300, "rank": 300})[0].rank == 300  # refused later, by its size
    assert split_settings({"bits": 8.0})[1] == FitConfig(bits=8.0)
    assert split_settings({"rank": 2}) == (OccupancyConfig(rank=2), FitConfig())


@pytest.mark.parametrize("layer", LAYERS)
def test_the_chosen_settings_are_those_declared(layer):
    """The command line leaves exactly these settings open."""
    chosen = set(settings_for_size({"bytes": 3000, "layer": layer})) - {"bytes"}
    declared = {f.name for kind in (OccupancyConfig, FitConfig) for f in fields(kind) if f.metadata["chosen_for_size"]}
    assert chosen == declared - ({"sine": set(), "low-rank": {"spread"}, "dense": {"spread", "rank"}}[layer])


def test_auto_is_the_best_layer_known_for_the_size():
    def layer_of(**given) -> str:
        return split_settings(given)[0].layer

    assert split_settings({"layer": "auto", "bytes": 2000}) == split_settings({"bytes": 2000})
    assert [layer_of(bytes=size) for size in (500, 3000, 28000)] == ["sine", "sine", "dense"]
    assert layer_of(bytes=28000, layer="sine") == layer_of(bytes=28000, rank=20) == "sine"
    assert layer_of() == layer_of(rank=4) == layer_of(layer="auto", width=64) == "sine"


def test_without_a_size_or_a_network_the_default_size_is_used():
    assert split_settings({}) == split_settings({"bytes": DEFAULT_BYTES})
    assert split_settings({"layer": "dense", "steps": 5}) == split_settings(
        {"layer": "dense", "steps": 5, "bytes": 3000}
    )


@pytest.mark.parametrize(
    "settings, message", [({"width": 0}, "width is 0"), ({"rank": 0}, "rank"), ({"bytes": -5}, "-5")]
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        architecture, config = split_settings({"bytes": 2000} | settings)
        config.check()
        build_network(architecture)
