"""A small model with one layer of each kind that can be adapted, and adapters of it."""

import json
import zlib
from copy import deepcopy

import numpy as np
import peft
import pytest
import torch
from support.adapter_settings import LORA
from torch import nn
from transformers.pytorch_utils import Conv1D

from sinenerf.adapters import SineLoraConfig
from sinenerf.codec.container import ADAPTER, pack
from sinenerf.codec.tensors import QuantisedTensor

DORA = pytest.mark.parametrize("dora", [False, True], ids=["lora", "dora"])
EXACT = {"atol": 2e-6, "rtol": 1e-5}


class Net(nn.Module):
    """One layer of each kind that can be adapted."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(13, 16)
        self.conv = Conv1D(24, 16)
        self.linear = nn.Linear(24, 10)
        self.norm = nn.LayerNorm(24)

    def forward(self, tokens):
        return self.linear(torch.tanh(self.norm(self.conv(self.embed(tokens)))))


TOKENS = torch.arange(12).reshape(3, 4)
LAYERS = ["embed", "conv", "linear"]


def config(**given):
    return SineLoraConfig(**{"r": 3, "lora_alpha": 6, "target_modules": LAYERS, "omega": 50.0, **given})


def adapted(drawn=True, **given):
    """A net with an adapter; unless `drawn`, its zero factors stay zero and it changes nothing."""
    model = peft.get_peft_model(Net(), config(**given)).eval()
    if drawn:
        draw(model)
    return model


@torch.no_grad()
def draw(model, adapter="default"):
    for name, p in model.named_parameters():
        if adapter in name and ("lora_B" in name or "lora_embedding_A" in name):
            p.normal_(std=0.1)
        if adapter in name and "magnitude" in name:
            p.mul_(torch.rand_like(p) + 0.5)


def base_of(model):
    """A net with the weights of an adapter's base model."""
    net = Net()
    net.load_state_dict(deepcopy(model).unload().state_dict())
    return net


FACTORS = {"base_model.model.linear.lora_A.weight": (3, 24), "base_model.model.linear.lora_B.weight": (10, 3)}


def crafted(path, config, shapes):
    """Write an adapter of zeros, whose settings need not fit any model; zeros take almost no bytes."""
    tensors = [QuantisedTensor(np.zeros(shape, np.int64), 1.0) for shape in shapes.values()]
    settings = LORA | ({"omega": 200.0} if config.get("peft_type") == "SINE_LORA" else {}) | config
    header = zlib.compress(json.dumps({"config": settings, "tensors": shapes}).encode())
    path.write_bytes(pack(ADAPTER, header, tensors))
    return path
