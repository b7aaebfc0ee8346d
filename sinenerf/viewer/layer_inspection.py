"""Inside the network: each layer's U, V and W as pictures, its singular values, stable rank and bytes."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from sinenerf.factored import FactoredLinear
from sinenerf.layers import SineLowRankLinear
from sinenerf.sine_file import Field, describe
from sinenerf.theory import singular_values, stable_rank_of

ENDS = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]])
"""Blue, white and red: negative, zero and positive."""
SPREAD = 3.0
"""Full colour is reached at so many root mean squares."""


def inside(path: Path, field: Field) -> list[dict[str, Any]]:
    """One entry a linear layer, in the order of the network."""
    with torch.no_grad():
        bytes_of = {tensor.name: tensor.bytes + tensor.table_bytes for tensor in describe(path).tensors}
        return [_layer(name, layer, bytes_of) for name, layer in field.linear_layers().items()]


def _layer(name: str, layer: nn.Linear | FactoredLinear, bytes_of: dict[str, float]) -> dict[str, Any]:
    weight = layer.weight
    values = singular_values(weight)
    own = {n.removeprefix(f"{name}."): round(b, 1) for n, b in bytes_of.items() if n.startswith(f"{name}.")}
    matrices = {"W": weight}
    if isinstance(layer, FactoredLinear):
        matrices = {**dict(zip("UV", layer.factors, strict=True)), "W": weight}
    return {
        "name": name,
        "equation": _equation(layer),
        "pictures": {n: _picture(m.detach().cpu().numpy()) for n, m in matrices.items()},
        "singular": [float(f"{v:.4g}") for v in values],
        "stable_rank": stable_rank_of(values),
        "bytes": own,
        "parameters": sum(p.numel() for p in layer.parameters()),
    }


def _equation(layer: nn.Linear | FactoredLinear) -> str:
    if isinstance(layer, SineLowRankLinear):
        return f"W = sin({float(layer.omega):.4g} U Vᵀ) / {float(layer.gain):.4g}, k = {layer.rank}"
    return f"W = U Vᵀ, k = {layer.rank}" if isinstance(layer, FactoredLinear) else "W, dense"


def _picture(matrix: Float[np.ndarray, "m n"]) -> dict[str, Any]:
    """A matrix as a PNG of one pixel an entry, its size, and the value of full colour."""
    from PIL import Image

    largest = SPREAD * float(np.sqrt((matrix**2).mean())) or 1.0
    buffer = io.BytesIO()
    Image.fromarray(coloured(matrix / largest)).convert("P", palette=Image.Palette.ADAPTIVE).save(buffer, "PNG")
    data = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"data": data, "rows": matrix.shape[0], "columns": matrix.shape[1], "largest": largest}


def coloured(values: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape 3"]:
    """Blue for -1 over white for 0 to red for 1, and no further."""
    at = np.clip(values, -1, 1)
    return np.rint(np.stack([np.interp(at, (-1, 0, 1), ENDS[:, i]) for i in range(3)], -1)).astype(np.uint8)
