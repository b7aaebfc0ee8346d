"""A small network over tokens to factorise, and its training in two processes.

Spawned processes import `train_in_parallel` by name: test modules cannot be imported so, modules of `support` can.
"""

import torch
from torch import nn

from sinenerf import factorize


class Block(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width, bias=False))

    def forward(self, x):
        x = x + self.attention(self.norm(x))
        return x + self.mlp(x)


class Net(nn.Module):
    def __init__(self, tied=False):
        super().__init__()
        self.embed = nn.Embedding(11, 24)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(24, 11, bias=False)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


TOKENS = torch.arange(10).reshape(2, 5)
MLP = r"blocks.*mlp.*"


def factored(**settings):
    return factorize(Net(), **{"rank": 3, "include": MLP, "report": None, **settings})


def train_in_parallel(rank, folder):
    """One of two processes: DDP; sharded training with FSDP2; a sharded checkpoint, saved and loaded."""
    import torch.distributed as dist
    import torch.distributed.checkpoint as checkpoint
    from torch.distributed.checkpoint.state_dict import get_model_state_dict, set_model_state_dict
    from torch.distributed.fsdp import fully_shard
    from torch.nn.parallel import DistributedDataParallel

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    mesh = dist.init_device_mesh("cpu", (2,))
    tokens = TOKENS[rank : rank + 1]
    torch.manual_seed(0)
    net = factored()
    whole = [g.clone() for g in torch.autograd.grad(net(TOKENS).square().mean(), list(net.parameters()))]
    parallel = DistributedDataParallel(net)
    parallel(tokens).square().mean().backward()
    for parameter, gradient in zip(net.parameters(), whole, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-4)
    expected = net(TOKENS)

    for block in net.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(net, mesh=mesh)
    assert net.blocks[0].mlp[0].U.to_local().shape == (48, 3)
    torch.testing.assert_close(net(TOKENS), expected)
    net(tokens).square().mean().backward()
    checkpoint.save(get_model_state_dict(net), checkpoint_id=f"{folder}/saved")
    other = factored()
    assert not torch.allclose(other(TOKENS), expected)
    state = get_model_state_dict(other)
    checkpoint.load(state, checkpoint_id=f"{folder}/saved")
    set_model_state_dict(other, state)
    torch.testing.assert_close(other(TOKENS), expected)
    dist.destroy_process_group()
