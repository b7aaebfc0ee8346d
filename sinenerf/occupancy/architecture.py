"""The network of an occupancy field, built from its settings, and the shapes of its tensors."""

from sinenerf.codec.container import Shapes
from sinenerf.factored import anchored_rows
from sinenerf.layers import LayerSpec
from sinenerf.networks import ScalarMLP, Trunk
from sinenerf.occupancy.config import OccupancyConfig


def build_network(config: OccupancyConfig) -> ScalarMLP:
    """A new network, initialised with torch's default random generator.

    Raises:
        ValueError: a setting is out of bounds, or the rank does not fit the width.
    """
    config.check()
    spec = LayerSpec.of(config)
    trunk = Trunk(config.width, config.depth, (), ("hidden",), config.activation, config.bandwidth)
    return ScalarMLP(trunk, spec, frequencies=0)


def tensors_of(config: OccupancyConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network's tensors, in the order of the file.

    They are computed without building the network, since the search for a network of a given size tries many.
    """
    width, rank = config.width, config.rank
    shapes: dict[str, tuple[int, ...]] = {"trunk.layers.0.weight": (width, 3), "trunk.layers.0.bias": (width,)}
    for index in range(1, config.depth):
        layer = f"trunk.layers.{index}."
        if config.layer == "dense":
            shapes[layer + "weight"] = (width, width)
        else:
            fixed = anchored_rows(rank, width) if config.anchored else 0
            shapes |= {layer + "U": (width, rank), layer + "V": (width - fixed, rank)}
        shapes[layer + "bias"] = (width,)
        if config.layer == "sine":
            shapes |= {layer + "omega": ()} if config.learn_omega else {}
            shapes |= {layer + "gain": ()} if config.learn_gain else {}
    return shapes | {"head.weight": (1, width), "head.bias": (1,)}


def shapes_of(config: OccupancyConfig) -> Shapes:
    """The shapes of `tensors_of`, without the names."""
    return list(tensors_of(config).values())
