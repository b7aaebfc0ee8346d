"""Sorting neurons: the same function, ascending biases, fewer bytes."""

import math

import numpy as np
import pytest
import torch

from sinenerf.codec.container import OCCUPANCY, pack
from sinenerf.codec.neuron_symmetry import hidden_layers, saved_bits, sort_neurons
from sinenerf.codec.tensors import QuantisedTensor, load_tensors
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.header import header_of
from sinenerf.occupancy.solid import Placement
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.warps import NDC
from sinenerf.rounding.by_learned_steps import LearnedStepRounding

STEP = 2.0**-7
PLACEMENT = Placement((0.0, 0.0, 0.0), 1.0)
RADIANCE = {
    "layer": "sine",
    "rank": 3,
    "omega": 3.0,
    "spread": 1.0,
    "learn_omega": True,
    "learn_gain": False,
    "anchored": True,
}
RADIANCE |= {"factored": ("input", "hidden", "head"), "width": 24, "depth": 4, "skips": (1,), "coarse_samples": 8}
RADIANCE |= {"position_frequencies": 3, "direction_frequencies": 2, "sampling": "proposal", "fine_samples": 8}
RADIANCE |= {"proposal_width": 12, "proposal_depth": 2, "proposal_frequencies": 2, "density_activation": "exp"}
RADIANCE |= {"background": "last_sample"}


def quantised(module):
    """Quantised tensors of a network, with biases far from zero; the network gets their values."""
    random, tensors = np.random.default_rng(0), {}
    for name, parameter in module.named_parameters():
        values = parameter.detach().numpy()
        if name.endswith("bias"):
            values = random.normal(0, 0.4, values.shape)
        tensors[name] = QuantisedTensor(np.round(values / STEP).astype(np.int64), STEP)
    load_tensors(module, tensors)
    return tensors


@pytest.mark.parametrize("layer", ["sine", "low-rank", "dense"])
@pytest.mark.parametrize("activation", ["gaussian", "sine", "relu"])
@pytest.mark.parametrize("anchored", [False, True])
def test_a_shape_stays_the_same_function(layer, activation, anchored):
    torch.manual_seed(0)
    network = build_network(OccupancyConfig(layer, 3, 32, 4, activation=activation, bandwidth=3.0, anchored=anchored))
    tensors, layers = quantised(network), hidden_layers(network)
    assert len(layers) == 4 and all(hidden.count == 32 for hidden in layers)
    points = torch.rand(200, 3) * 2 - 1
    before = network(points)
    arranged = sort_neurons(tensors, layers)
    load_tensors(network, arranged)
    torch.testing.assert_close(network(points), before, rtol=1e-4, atol=1e-4)
    for hidden in layers:
        bias = arranged[hidden.bias].integers
        fixed = 3 if anchored and layer != "dense" and hidden is not layers[-1] else 0
        assert hidden.anchored == fixed and (bias.min() >= 0) == (activation != "relu")
        assert all((np.diff(run) >= 0).all() for run in np.split(bias, [fixed]))
    again = sort_neurons(arranged, layers)
    assert all(np.array_equal(again[name].integers, arranged[name].integers) for name in arranged)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layer": "dense"},
        {"sampling": "coarse-fine"},
        {"factored": ("hidden",)},
        {"anchored": False},
        # the anchored rows of V read inputs and neurons
        {"position_frequencies": 0, "rank": 8, "skips": (1, 2), "factored": ("hidden",)},
    ],
)
def test_a_scene_stays_the_same_function(changes):
    torch.manual_seed(0)
    field = RadianceField(RadianceConfig(**RADIANCE | changes), NDC(0.6, 0.45, 1.0))
    field.precision = "float32"
    tensors, layers = quantised(field), hidden_layers(field)
    assert len(layers) == (6 + 6 if "sampling" in changes else 2 + 6)
    directions = torch.nn.functional.normalize(torch.rand(30, 3) - 0.5, dim=-1)
    positions = (torch.rand(30, 5, 3) * 2 - 1) * 0.5
    networks = field.coarse, field.fine

    def query():
        return [values for network in networks for values in field.query(network, positions, directions)]

    before = query()
    arranged = sort_neurons(tensors, layers)
    load_tensors(field, arranged)
    assert any((tensors[name].integers != arranged[name].integers).any() for name in tensors)
    for ours, theirs in zip(query(), before, strict=True):
        assert ours is theirs is None or torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_sorting_saves_about_the_bits_estimated():
    torch.manual_seed(0)
    config = OccupancyConfig("sine", 3, 96)
    network = build_network(config)
    tensors, layers = quantised(network), hidden_layers(network)
    header = header_of(config, PLACEMENT)
    before = len(pack(OCCUPANCY, header, list(tensors.values())))
    after = len(pack(OCCUPANCY, header, list(sort_neurons(tensors, layers).values())))
    most = 3 * (math.lgamma(97) / math.log(2) + 96)
    assert saved_bits(layers) < most and 0.75 * saved_bits(layers) < 8 * (before - after) < most


def test_a_budget_includes_the_saving():
    """The bits saved are spent on the parameters: the file fills its budget and stays within it."""
    torch.manual_seed(0)
    config = OccupancyConfig("sine", 3, 64)
    field = OccupancyField(config, PLACEMENT)
    quantised(field.network)
    size = 1100
    rounding = LearnedStepRounding(
        field.network, size, lambda tensors: len(pack(OCCUPANCY, header_of(config, PLACEMENT), tensors)), 110, begin=0.0
    )
    for _ in range(40):
        rounding.before_step(0.8)
    coded = rounding.finish()
    rounding.remove()
    points = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (100, 3))).float()
    own_order = field.logits(points).detach().numpy()
    field.coded = load_tensors(field.network, coded)
    np.testing.assert_allclose(field.logits(points).detach().numpy(), own_order, rtol=1e-3, atol=1e-3)
    assert 0.85 * size < len(field.to_bytes()) <= size
