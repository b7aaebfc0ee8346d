"""Layers that cannot be factored: each is named, and the model is left as it was."""

import pytest
import torch
import torch.nn.utils.prune
from support.token_nets import MLP, Net, factored
from torch import nn

from sinenerf import factorize


class Quantised(nn.Linear):
    """As bitsandbytes and others make them: a subclass whose weight is of another kind."""


def changed(path, module):
    net = Net()
    parent, _, leaf = path.rpartition(".")
    setattr(net.get_submodule(parent), leaf, module)
    return net


def of_integers():
    net = Net()
    net.blocks[0].mlp[0].weight = nn.Parameter(torch.ones(96, 24, dtype=torch.int8), requires_grad=False)
    return net


def of_one_module_twice():
    net = Net()
    net.blocks[1].mlp[0] = net.blocks[0].mlp[0]
    return net


def of_a_view():
    net = Net()
    net.blocks[0].attention.weight = nn.Parameter(net.blocks[0].mlp[0].weight.detach()[:24])
    return net


def of_nan():
    net = Net()
    nn.init.constant_(net.blocks[0].mlp[0].weight[0, :1], float("nan"))
    return net


def of_a_pruned_layer():
    net = Net()
    torch.nn.utils.prune.random_unstructured(net.blocks[0].mlp[0], "weight", 0.5)
    return net


def of_a_normalised_weight():
    net = Net()
    torch.nn.utils.spectral_norm(net.blocks[0].mlp[0])
    return net


BAD_MODELS = {
    r"blocks\.0\.mlp\.0: its weight is computed by a hook": of_a_pruned_layer,
    r"blocks\.0\.mlp\.0: its weight is computed": of_a_normalised_weight,
    r"blocks\.0\.mlp\.0: its weight is of type torch\.int8": of_integers,
    r"blocks\.0\.mlp\.0: is a .*Quantised, quantised or": lambda: changed("blocks.0.mlp.0", Quantised(24, 96)),
    r"blocks\.0\.mlp\.0: is a torch.*quantized.*Linear": lambda: changed(
        "blocks.0.mlp.0", torch.ao.nn.quantized.dynamic.Linear(24, 96)
    ),
    r"blocks\.0\.mlp\.0: its weight holds values that are not finite": of_nan,
    r"blocks\.0\.mlp\.0: its weight is on the meta device": lambda: Net().to("meta"),
    r"blocks\.0\.mlp\.0: is already factored": factored,
    r"head: its weight is tied to embed\.weight": lambda: Net(tied=True),
    r"blocks\.0\.mlp\.0: its weight is tied to blocks\.1\.mlp\.0\.weight": of_one_module_twice,
    r"blocks\.0\.mlp\.0: its weight is tied to blocks\.0\.attention\.weight": of_a_view,
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("message", BAD_MODELS)
def test_bad_models_are_named_and_left_alone(message):
    net = BAD_MODELS[message]()
    modules = dict(net.named_modules())
    with pytest.raises(ValueError, match=f"^{message}"):
        factorize(net, 3, include="head" if message.startswith("head") else MLP, report=None)
    assert dict(net.named_modules()) == modules


def test_a_model_without_linear_layers():
    with pytest.raises(ValueError, match=r"has no nn\.Linear at all"):
        factorize(nn.Sequential(nn.Conv2d(3, 3, 1)), 1)
