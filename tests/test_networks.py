import pytest
import torch

from sinenerf.factored import built_once
from sinenerf.layers import LayerSpec, SineLowRankLinear
from sinenerf.networks import CoordinateMLP, PositionalEncoding, RadianceMLP, ScalarMLP, Trunk, count_parameters

PAPER = Trunk(width=256, depth=8, skips=(4,))


@pytest.mark.parametrize(
    ("kind", "rank", "parameters"),
    [("dense", 5, 595_844), ("sine", 1, 7_712), ("sine", 5, 27_521), ("low-rank", 5, 27_521), ("sine", 30, 149_746)],
)
def test_the_papers_network_has_the_papers_parameters(kind, rank, parameters):
    network = RadianceMLP(PAPER, LayerSpec(kind, rank), 10, 4)
    assert count_parameters(network) == parameters


def test_encoding_is_nerfs_own():
    x = torch.rand(5, 3) * 2 - 1
    encoded = PositionalEncoding(3, 10)(x)
    expected = [x] + [f(2.0**i * x.double()).float() for i in range(10) for f in (torch.sin, torch.cos)]
    torch.testing.assert_close(encoded, torch.cat(expected, -1), atol=2e-4, rtol=0)
    assert encoded.shape[-1] == 63
    assert torch.equal(PositionalEncoding(3, 0)(x), x)


def test_skip_joins_the_input_again():
    net = CoordinateMLP(6, Trunk(width=16, depth=4, skips=(1,)), LayerSpec("dense"))
    assert [layer.in_features for layer in net.layers] == [6, 16, 22, 16]
    assert net(torch.randn(3, 6)).shape == (3, 16)


def test_skip_joins_numbers_of_one_type():
    net = CoordinateMLP(6, Trunk(width=16, depth=2, skips=(1,)), LayerSpec("dense"))
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.randn(5, 6)).dtype == torch.bfloat16


def test_no_points_at_all():
    net = ScalarMLP(Trunk(16, 2, ()), LayerSpec("sine", 3), 4)
    assert net(torch.empty(0, 3)).shape == (0, 1) and net(torch.empty(5, 0, 3)).shape == (5, 0, 1)


def test_folded_colour_is_the_unfolded_one():
    net = RadianceMLP(Trunk(16, 2, ()), LayerSpec("sine", 3), 4, 2).double()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.normal_()
    h, directions = torch.randn(5, 7, 16).double(), torch.nn.functional.normalize(torch.randn(5, 3).double(), dim=-1)
    seen = net.encode_direction(directions)[:, None].expand(5, 7, -1)
    expected = net.colour(torch.relu(net.view(torch.cat([net.feature(h), seen], -1))))
    torch.testing.assert_close(net.raw_colour(h, directions), expected)


def test_choice_of_layers():
    def factored(*roles):
        net = RadianceMLP(Trunk(32, 3, (), roles), LayerSpec("sine", 4), 4, 2)
        return {name for name, m in net.named_modules() if isinstance(m, SineLowRankLinear)}

    assert factored() == set()
    assert factored("input") == {"trunk.layers.0"}
    assert factored("hidden") == {"trunk.layers.1", "trunk.layers.2"}
    assert factored("head") == {"feature", "view"}  # factors of density and colour would be larger than the matrices


def test_rank_above_a_hidden_layer_is_refused():
    with pytest.raises(ValueError, match="choose a rank from 1 to 16"):
        ScalarMLP(Trunk(16, 2, ()), LayerSpec("sine", 17), 6)


@pytest.mark.parametrize("kind", ["sine", "low-rank", "dense"])
def test_every_parameter_is_trained(kind):
    net = RadianceMLP(Trunk(16, 3, (1,)), LayerSpec(kind, 2, learn_omega=True, learn_gain=True), 3, 2)
    with built_once(net):
        h = net.embed(torch.rand(4, 5, 3))
        loss = net.raw_density(h).sum() + net.raw_colour(h, torch.rand(4, 3)).square().sum()
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
