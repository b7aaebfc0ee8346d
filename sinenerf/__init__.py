"""sinenerf: compact 3D scenes from sine-activated low-rank networks.

`import sinenerf` needs only torch, numpy and jaxtyping. Names are resolved on first use,
so that the command line starts without torch.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = {
    "FactoredLinear": "factored",
    "LowRankLinear": "layers",
    "SineLowRankLinear": "layers",
    "bake": "conversion.factorization",
    "built_once": "factored",
    "factorize": "conversion.factorization",
    "fit_mesh": "occupancy.fit",
    "keep_weights": "factored",
    "make_linear": "layers",
    "singular_values": "theory",
    "stable_rank": "theory",
    "unbake": "conversion.factorization",
    "CoordinateMLP": "networks",
    "LayerSpec": "layers",
    "OccupancyField": "occupancy.field",
    "PositionalEncoding": "networks",
    "load": "sine_file",
}

__all__ = [*_MODULES, "__version__"]


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module 'sinenerf' has no attribute {name!r}")
    return getattr(import_module(f"sinenerf.{_MODULES[name]}"), name)


def __dir__():
    return sorted(__all__)
