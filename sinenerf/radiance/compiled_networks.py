"""The networks of a radiance field on a CPU: forwards and backwards in compiled passes over blocks of rays.

autograd sends all samples through one operation after the other, so that every activation travels to memory and back
several times. Here a block of rays stays in the cache from the encoding to the raw outputs, and later from their
gradients to those of the weights. autograd still differentiates how a layer builds its W, the view directions and
everything after the raw outputs.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numba import get_num_threads
from torch import Tensor

from sinenerf.common.hardware import multiplies_bfloat16
from sinenerf.common.matrix_kernels import ROWS, kernels_alone
from sinenerf.common.ray_network_kernels import Memory, Shape, backward_rays, forward_rays
from sinenerf.common.word_kernels import COLUMNS, SUPPORTED
from sinenerf.networks import RadianceMLP, ScalarMLP
from sinenerf.radiance.architecture import Networks
from sinenerf.radiance.config import RadianceConfig

LARGEST_BLOCK = 192
"""Points of a block: their activations and one layer's weights fit the second cache."""
ALWAYS_KEPT = 2.0
"""Times the mean: samples whose derivatives are as large go into every gradient (see `thinned`)."""


class CompiledNetworks:
    """The compiled passes of the two networks that take turns along the rays.

    They serve both networks or none: threads of kernels and of torch, in turn, would wait in each other's way.

    Args:
        rendering: serve without gradients, too. Only within `kernels_alone`, as trainings are.
    """

    def __init__(self, networks: Networks, config: RadianceConfig, rendering: bool = False) -> None:
        self.rendering = rendering
        samples = config.fine_samples + (config.coarse_samples + 1 if config.sampling == "coarse-fine" else 0)
        fit = max(samples, config.coarse_samples) <= LARGEST_BLOCK
        self.possible = SUPPORTED and fit and not any(network.trunk.skips for network in networks)
        self.passes: dict[tuple[RadianceMLP | ScalarMLP, bool], CompiledNetwork] = {}
        self.threads = min(torch.get_num_threads(), get_num_threads())

    def serve(self, positions: Tensor, half: bool) -> bool:
        """Whether they are faster at these positions (rays, samples, 3), and give what is needed.

        They give no gradients by the positions, which the refinement of poses needs.
        """
        return (
            self.possible
            and (self.rendering or torch.is_grad_enabled())
            and not positions.requires_grad
            and positions.device.type == "cpu"
            and (not half or multiplies_bfloat16("cpu"))
            and positions.numel() > 0
        )

    def raw(
        self,
        network: RadianceMLP | ScalarMLP,
        positions: Float[Tensor, "rays samples 3"],
        directions: Float[Tensor, "rays 3"],
        half: bool,
    ) -> tuple[Float[Tensor, "rays samples 1"], Float[Tensor, "rays samples 3"] | None]:
        """(raw density; raw colour, or None for a network without colour), in bfloat16 if `half`."""
        key = network, half
        if key not in self.passes:
            self.passes[key] = CompiledNetwork(network, half, self.threads)
        return self.passes[key](positions, directions)


def passes_alone(compiled: CompiledNetworks | None) -> AbstractContextManager[None]:
    """`kernels_alone` for a step of a training that uses compiled passes, which shows after its first step."""
    return kernels_alone() if compiled and compiled.passes else nullcontext()


class CompiledNetwork:
    """The raw outputs of a network at the samples of rays.

    Args:
        half: multiply in bfloat16.
    """

    def __init__(self, network: RadianceMLP | ScalarMLP, half: bool, threads: int) -> None:
        self.network, self.half, self.threads = network, half, threads
        self.octaves = network.encode_position.frequencies
        self.view = network.view.out_features if isinstance(network, RadianceMLP) else 0
        self.trunk: list[Any] = list(network.trunk.layers)
        trunk = [layer.out_features for layer in self.trunk]
        head = [self.view + 1] + ([3] if self.view else [])
        outputs = [_padded(n, COLUMNS) for n in [*trunk, *head]]
        inputs = [_padded(network.encode_position.out_features, ROWS), *outputs[: len(trunk)]]
        inputs += [_padded(self.view, ROWS)] if self.view else []
        words = np.array(inputs) // (2 if half else 1)
        self.inputs, self.outputs = np.array(inputs), np.array(outputs)
        self.places, self.words = np.cumsum(words) - words, int(words.sum())
        self.width = _padded(max(inputs + outputs), COLUMNS)
        self.free: list[Memory] = []  # of earlier steps: new memory costs as much as filling it

    def __call__(
        self, positions: Float[Tensor, "rays samples 3"], directions: Float[Tensor, "rays 3"]
    ) -> tuple[Float[Tensor, "rays samples 1"], Float[Tensor, "rays samples 3"] | None]:
        """(raw density; raw colour, or None for a network without colour)."""
        network: Any = self.network
        tensors = [t for layer in self.trunk for t in (layer.weight, layer.bias)]
        if isinstance(network, ScalarMLP):
            tensors += [network.head.weight, network.head.bias]
            per_ray = positions.new_zeros(len(positions), 0)
        else:
            weight, per_ray = network.view_of_features(directions)
            tensors += [torch.cat([weight, network.density.weight]), network.density.bias]
            tensors += [network.colour.weight, network.colour.bias]
        results = _Pass.apply(self, torch.is_grad_enabled(), positions, per_ray, *tensors)
        return results[..., :1], results[..., 1:] if self.view else None

    def shape(self, rays: int, samples: int) -> Shape:
        """The sizes for a batch."""
        block = min(rays, LARGEST_BLOCK // samples)
        rows, head = _padded(block * samples, ROWS), len(self.trunk)
        return Shape(
            self.inputs, self.outputs, self.places, self.octaves, head, self.view, samples, block, rows, self.half
        )

    def memory(self, rows: int) -> Memory:
        """Memory for this many points."""
        while self.free:
            memory = self.free.pop()
            if len(memory.words) == rows:
                return memory
        return Memory.empty(rows, self.words)

    def padded(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, np.ndarray]:
        """(transposed weights (layers, inputs, outputs), biases (layers, outputs)), both padded with zeros."""
        count = len(self.inputs)
        weights, biases = torch.zeros(count, self.width, self.width), torch.zeros(count, self.width)
        for layer in range(count):
            weight, bias = tensors[2 * layer : 2 * layer + 2]
            weights[layer, : weight.shape[1], : weight.shape[0]] = weight.T
            biases[layer, len(weight) - len(bias) : len(weight)] = bias  # the density's, after the neurons of the view
        return weights, biases.numpy()

    def as_words(self, matrices: Float[Tensor, "layers rows columns"]) -> np.ndarray:
        """Matrices as right operands of `multiply_words`."""
        if not self.half:
            return matrices.contiguous().numpy()
        layers, rows, columns = matrices.shape
        pairs = matrices.bfloat16().view(layers, rows // 2, 2, columns).transpose(2, 3).contiguous()
        return pairs.view(torch.int32)[..., 0].numpy()


class _Pass(torch.autograd.Function):
    """(rays, samples, 1 or 4): the raw density and colour."""

    @staticmethod
    def forward(
        ctx: Any, network: CompiledNetwork, differentiable: bool, positions: Tensor, per_ray: Tensor, *tensors: Tensor
    ) -> Tensor:
        rays, samples, _ = positions.shape
        shape = network.shape(rays, samples)
        points = positions.detach().reshape(-1, 3)
        weights, biases = network.padded(tensors)
        memory = network.memory(-(-rays // shape.rays) * shape.rows)
        results = torch.empty(len(points), 4 if network.view else 1)
        forward_rays(
            points.numpy(), points.sin().numpy(), points.cos().numpy(), per_ray.contiguous().numpy(),
            network.as_words(weights), biases, memory, shape, results.numpy(), network.threads,
        )  # fmt: skip
        if not differentiable:
            network.free.append(memory)
        ctx.network, ctx.shape, ctx.weights, ctx.memory = network, shape, weights, memory
        ctx.rays, ctx.sizes = per_ray.shape, [tuple(t.shape) for t in tensors]
        return results.view(rays, samples, -1)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        network, count, width = ctx.network, len(ctx.weights), ctx.network.width
        of_weights = torch.zeros(network.threads, count, width, width)
        of_biases, of_rays = torch.zeros(network.threads, count, width), torch.zeros(ctx.rays)
        by_results, kept = thinned(slopes[0].flatten(0, 1), ALWAYS_KEPT if network.view else 0.0)
        backward_rays(
            by_results.numpy(), kept.numpy(), network.as_words(ctx.weights.transpose(1, 2)), ctx.memory, ctx.shape,
            of_weights.numpy(), of_biases.numpy(), of_rays.numpy(),
        )  # fmt: skip
        network.free.append(ctx.memory)
        weights, biases = of_weights.sum(0), of_biases.sum(0)
        gradients = []
        for layer in range(count):
            (outputs, inputs), (length,) = ctx.sizes[2 * layer : 2 * layer + 2]
            gradients += [weights[layer, :inputs, :outputs].T, biases[layer, outputs - length : outputs]]
        return None, None, None, of_rays, *gradients


def thinned(
    slopes: Float[Tensor, "points values"], always_kept: float
) -> tuple[Float[Tensor, "points values"], Bool[Tensor, " points"]]:
    """Derivatives by the results at a random part of the points, and which points these are.

    Most samples of a trained scene lie in empty space or behind surfaces, and hardly move a parameter. A point whose
    sum of absolute derivatives is less than `always_kept` times the mean is kept with a chance in proportion to that
    sum, and then counts for others like it: gradients are right on average (importance sampling; Katharopoulos and
    Fleuret, arXiv 1803.00942).
    """
    size = slopes.abs().sum(dim=1)
    chance = size / (always_kept * size.mean()).clamp_min(torch.finfo(size.dtype).tiny)
    kept = ~(torch.rand(len(size)) >= chance)  # so that NaN is kept
    return torch.where(kept[:, None], slopes / chance.clamp_max(1)[:, None], 0.0), kept


def _padded(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
