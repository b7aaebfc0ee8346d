"""What an occupancy field is made of."""

from dataclasses import dataclass

from sinenerf.activations import Activation
from sinenerf.common.checks import check_choice, check_positive, check_whole
from sinenerf.layers import LayerKind, LayerSpec
from sinenerf.networks import ScalarMLP, Trunk


@dataclass(frozen=True)
class OccupancyConfig:
    """Architecture of an occupancy field. The paper's is 3-256-256-256-1 with the two square matrices factored."""

    layer: LayerKind = "sine"
    """sine: sin(omega U V^T) / g; low-rank: U V^T; dense: nn.Linear."""
    rank: int = 4
    """Width k of the factors."""
    width: int = 128
    """Neurons of a hidden layer."""
    depth: int = 3
    """Hidden layers; all after the first are factored."""
    omega: float = 3.0
    """Frequency of the sine."""
    spread: float = 3.0
    """Standard deviation, in radians, of the phase omega U V^T at the start."""
    activation: Activation = "gaussian"
    """What stands between the layers."""
    bandwidth: float = 10.0
    """b of gaussian, exp(-(b z)^2 / 2), and of sine, sin(b z)."""
    learn_omega: bool = False
    """Train one omega a layer."""
    learn_gain: bool = False
    """Train one gain a layer."""
    anchored: bool = True
    """Fix k rows of each V, k^2 numbers fewer a layer for the same matrices: `sinenerf.factored.FactoredLinear`."""

    def check(self) -> None:
        """Raise ValueError on a setting that cannot be, whatever the others are."""
        check_choice("layer", self.layer, LayerKind)
        check_choice("activation", self.activation, Activation)
        for name in ("rank", "width", "depth"):
            check_whole(name, getattr(self, name))
        for name in ("rank", "width", "depth", "omega", "spread", "bandwidth"):
            check_positive(name, getattr(self, name))

    def network(self) -> ScalarMLP:
        """A new network of this architecture.

        Raises:
            ValueError: as `check`, or a rank that does not fit.
        """
        self.check()
        spec = LayerSpec(
            self.layer, self.rank, self.omega, self.spread, self.learn_omega, self.learn_gain, self.anchored
        )
        trunk = Trunk(self.width, self.depth, (), ("hidden",), self.activation, self.bandwidth)
        return ScalarMLP(trunk, spec, frequencies=0)
