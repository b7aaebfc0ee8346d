"""Coordinate networks: they map a point to features, a density, a colour or an occupancy."""

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.activations import activate, hidden_gain
from sinenerf.common.settings import Activation, Role
from sinenerf.factored import FactoredLinear
from sinenerf.layers import LayerSpec, make_linear


class PositionalEncoding(nn.Module):
    """NeRF's encoding in NeRF's own convention (Mildenhall et al. 2020, equation 4, as in its code, without pi):

    x -> (x, sin(2^0 x), cos(2^0 x), ..., sin(2^(L-1) x), cos(2^(L-1) x)), each over all inputs.
    """

    def __init__(self, in_features: int, frequencies: int) -> None:
        super().__init__()
        self.in_features, self.frequencies = in_features, frequencies
        self.out_features = in_features * (1 + 2 * frequencies)

    def forward(self, x: Float[Tensor, "*batch dims"]) -> Float[Tensor, "*batch features"]:
        parts = [x]
        if self.frequencies:
            sine, cosine = torch.sin(x), torch.cos(x)
            parts += [sine, cosine]
            for _ in range(1, self.frequencies):
                # doubling the angle is far cheaper than sin and cos; over ten octaves its error is at most 1e-4
                sine, cosine = 2 * sine * cosine, 1 - 2 * sine * sine
                parts += [sine, cosine]
        return torch.cat(parts, dim=-1)


@dataclass(frozen=True)
class Trunk:
    """Shape of a coordinate MLP."""

    width: int = 256
    """Neurons per hidden layer."""
    depth: int = 8
    """Number of hidden layers."""
    skips: tuple[int, ...] = (4,)
    """Indices of the hidden layers after which the input is concatenated to the features."""
    factored: tuple[Role, ...] = ("input", "hidden", "head")
    """Layers that the layer spec applies to; the others are dense. input: the first; head: those after the trunk."""
    activation: Activation = "relu"
    """Activation of the hidden layers."""
    bandwidth: float = 10.0
    """b of gaussian, exp(-(b z)^2 / 2), and of sine, sin(b z): larger values represent finer detail. Unused by relu."""


def role_linear(
    spec: LayerSpec, trunk: Trunk, role: Role, in_features: int, out_features: int, activation: str | float
) -> nn.Linear | FactoredLinear:
    """The layer of a role: dense if its role is not in `trunk.factored`, or if it is a head whose factors would have at
    least as many parameters as its matrix."""
    larger = spec.rank * (in_features + out_features) >= in_features * out_features
    if role not in trunk.factored or (role == "head" and larger):
        spec = replace(spec, kind="dense")
    return make_linear(spec, in_features, out_features, activation)


class CoordinateMLP(nn.Module):
    """A trunk over encoded coordinates: (..., in_features) -> (..., width)."""

    def __init__(self, in_features: int, trunk: Trunk, spec: LayerSpec) -> None:
        super().__init__()
        self.skips, self.activation, self.bandwidth = trunk.skips, trunk.activation, trunk.bandwidth
        gain = hidden_gain(trunk.activation, trunk.bandwidth)
        self.layers = nn.ModuleList()
        size = in_features
        for index in range(trunk.depth):
            role: Role = "hidden" if index else "input"
            self.layers.append(role_linear(spec, trunk, role, size, trunk.width, gain))
            size = trunk.width + (in_features if index in trunk.skips else 0)
        self.out_features = size
        if trunk.activation != "relu":
            self._spread_over_cube()

    @torch.no_grad()
    def _spread_over_cube(self) -> None:
        """Initialise the first layer so that its neurons are waves or ridges of all directions, spread over the cube.

        Weights and biases are U(-1, 1) / sqrt(in_features), as in PyTorch's own layers and in the Gaussian and SIREN
        papers for coordinates in [-1, 1]; the bandwidth sets the scale.
        """
        first = self.layers[0]
        assert isinstance(first, nn.Linear | FactoredLinear)
        bound = 1 / math.sqrt(first.in_features)
        if isinstance(first, nn.Linear):
            nn.init.uniform_(first.weight, -bound, bound)
        assert first.bias is not None
        nn.init.uniform_(first.bias, -bound, bound)

    def forward(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch width"]:
        batch = x.shape[:-1]
        x = x.reshape(-1, x.shape[-1])  # linear layers return views for more dimensions, which relu_ would copy
        if torch.is_autocast_enabled(x.device.type) and self.activation == "relu":
            x = x.to(torch.get_autocast_dtype(x.device.type))  # once, so that the skips concatenate tensors of one type
        h = x
        for index, layer in enumerate(self.layers):
            # raw coordinates need full precision: bfloat16 would round them to a grid of 1/256
            exact = index == 0 and self.activation != "relu"
            with torch.autocast(x.device.type, enabled=False) if exact else nullcontext():
                h = layer(h)
            h = activate(h, self.activation, self.bandwidth)
            if index in self.skips:
                h = torch.cat([x, h], dim=-1)
        return h.reshape(*batch, h.shape[-1])


class RadianceMLP(nn.Module):
    """NeRF's network (Mildenhall et al. 2020, figure 7): a trunk, a density head, a view-dependent colour head.

    8 layers of 256, a skip after the fifth, 10 and 4 frequencies give the paper's 595,844 parameters when dense.
    """

    def __init__(self, trunk: Trunk, spec: LayerSpec, position_frequencies: int, direction_frequencies: int) -> None:
        super().__init__()
        self.encode_position = PositionalEncoding(3, position_frequencies)
        self.encode_direction = PositionalEncoding(3, direction_frequencies)
        self.trunk = CoordinateMLP(self.encode_position.out_features, trunk, spec)
        width, view = self.trunk.out_features, self.encode_direction.out_features
        self.density = role_linear(spec, trunk, "head", width, 1, "linear")
        self.feature = role_linear(spec, trunk, "head", width, trunk.width, "linear")
        self.view = role_linear(spec, trunk, "head", trunk.width + view, trunk.width // 2, "relu")
        self.colour = role_linear(spec, trunk, "head", trunk.width // 2, 3, "linear")

    def embed(self, positions: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch width"]:
        """Features of points in the cube [-1, 1]^3."""
        return self.trunk(self.encode_position(positions))

    def raw_density(self, features: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch 1"]:
        """Density before its activation."""
        return self.density(features)

    def raw_colour(
        self, features: Float[Tensor, "rays samples width"], directions: Float[Tensor, "rays 3"]
    ) -> Float[Tensor, "rays samples 3"]:
        """Colour before its sigmoid, of samples along rays with unit directions.

        There is no activation between the feature and the view layer, so their weights are multiplied once per step and
        the direction's contribution is computed once per ray. The function is the same, with a tenth fewer
        multiplications than one product after the other for each sample.
        """
        weight, per_ray = self.view_of_features(directions)
        hidden = F.linear(features, weight) + per_ray[:, None]
        return self.colour(F.relu(hidden))

    def view_of_features(
        self, directions: Float[Tensor, "rays 3"]
    ) -> tuple[Float[Tensor, "half width"], Float[Tensor, "rays half"]]:
        """The view layer as a function of the trunk's features: (its weight, each ray's bias)."""
        of_feature, of_direction = self.view.weight.split(
            [self.feature.out_features, self.encode_direction.out_features], dim=1
        )
        weight = of_feature @ self.feature.weight
        bias = of_feature @ self.feature.bias + self.view.bias
        return weight, F.linear(self.encode_direction(directions), of_direction, bias)


class ScalarMLP(nn.Module):
    """A scalar per point: the density of proposal sampling (Barron et al. 2022, mip-NeRF 360), or an occupancy."""

    def __init__(self, trunk: Trunk, spec: LayerSpec, frequencies: int) -> None:
        super().__init__()
        self.encode_position = PositionalEncoding(3, frequencies)
        self.trunk = CoordinateMLP(self.encode_position.out_features, trunk, spec)
        self.head = role_linear(spec, trunk, "head", self.trunk.out_features, 1, "linear")

    def forward(self, positions: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 1"]:
        """The scalar before its activation, at points of the cube [-1, 1]^3."""
        return self.head(self.trunk(self.encode_position(positions)))


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
