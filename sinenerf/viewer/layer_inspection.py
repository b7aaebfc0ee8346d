"""The layers of a network: U, V and W as pictures, singular values, stable rank and bytes of each."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from sinenerf.codec.container import Container
from sinenerf.factored import FactoredLinear
from sinenerf.layers import LowRankLinear, SineLowRankLinear
from sinenerf.occupancy.field import OccupancyField
from sinenerf.radiance.field import RadianceField
from sinenerf.theory import singular_values, stable_rank_of

COLOURS = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]])
"""Blue, white and red, for negative, zero and positive values."""
FULL_COLOUR = 3.0
"""Multiple of the root mean square at which a value has full colour."""
EQUATIONS: dict[type, Callable[[Any], str]] = {
    SineLowRankLinear: lambda x: f"W = sin({float(x.omega):.4g} U Vᵀ) / {float(x.gain):.4g}, k = {x.rank}",
    LowRankLinear: lambda x: f"W = U Vᵀ, k = {x.rank}",
    nn.Linear: lambda x: "W, dense",
}
"""How W is made, by the class of the layer."""


def inspect_layers(field: OccupancyField | RadianceField, data: bytes) -> list[dict[str, Any]]:
    """What the page shows of each linear layer, in the network's order. `data` is the field's file."""
    with torch.no_grad():
        tensors = field.describe_container(Container.parse(data)).tensors
        bytes_of = {tensor.name: tensor.bytes + tensor.table_bytes for tensor in tensors}
        return [_inspect_layer(name, layer, bytes_of) for name, layer in field.linear_layers().items()]


def _inspect_layer(name: str, layer: nn.Linear | FactoredLinear, bytes_of: dict[str, float]) -> dict[str, Any]:
    weight = layer.weight
    values = singular_values(weight)
    own = {n.removeprefix(f"{name}."): round(b, 1) for n, b in bytes_of.items() if n.startswith(f"{name}.")}
    matrices = {"W": weight}
    if isinstance(layer, FactoredLinear):
        matrices = {**dict(zip("UV", layer.factors, strict=True)), "W": weight}
    return {
        "name": name,
        "equation": EQUATIONS[type(layer)](layer),
        "pictures": {n: _picture(m.detach().cpu().numpy()) for n, m in matrices.items()},
        "singular": [float(f"{v:.4g}") for v in values],
        "stable_rank": stable_rank_of(values),
        "bytes": own,
        "parameters": sum(p.numel() for p in layer.parameters()),
    }


def _picture(matrix: Float[np.ndarray, "m n"]) -> dict[str, Any]:
    """A matrix as a PNG with one pixel per entry, its size, and the value at which full colour is reached."""
    from PIL import Image

    largest = FULL_COLOUR * float(np.sqrt((matrix**2).mean())) or 1.0
    buffer = io.BytesIO()
    Image.fromarray(diverging_colours(matrix / largest)).convert("P", palette=Image.Palette.ADAPTIVE).save(
        buffer, "PNG"
    )
    data = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"data": data, "rows": matrix.shape[0], "columns": matrix.shape[1], "largest": largest}


def diverging_colours(values: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape 3"]:
    """Colours from blue at -1 through white at 0 to red at 1; values outside are clipped."""
    clipped = np.clip(values, -1, 1)
    return np.rint(np.stack([np.interp(clipped, (-1, 0, 1), COLOURS[:, i]) for i in range(3)], -1)).astype(np.uint8)
