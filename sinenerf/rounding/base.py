"""What the two methods of rounding a network's parameters share.

Each tensor becomes integers times a step of its own. How these are found differs: by curvature after the training of a
shape, as learned steps during that of a scene.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from sinenerf.codec.neuron_symmetry import hidden_layers
from sinenerf.codec.tensors import QuantisedTensor, StoredTensor

FileLength = Callable[[Sequence[StoredTensor]], int]
"""Number of bytes of the file that holds these tensors."""


class Rounding(ABC):
    """Rounds the trainable parameters of a module to multiples of a step per tensor, to fit a file of a given size.

    Args:
        size: largest number of bytes of the file.
        file_length: gives the size of the file that holds given tensors.
    """

    def __init__(self, module: nn.Module, size: int, file_length: FileLength) -> None:
        self.size, self.file_length = size, file_length
        self.layers = hidden_layers(module)
        """Those whose neurons a file may put into another order."""
        self.parameters: dict[str, Tensor] = {n: p for n, p in module.named_parameters() if p.requires_grad}
        """The trainable ones by name, as the module has them before any rounding."""
        self.count = sum(p.numel() for p in self.parameters.values())
        """Number of all their entries."""

    @abstractmethod
    def tensors(self) -> dict[str, QuantisedTensor]:
        """All tensors as rounded now, neurons in a file's order."""

    def length(self) -> int:
        """Number of bytes of the file that holds the tensors as rounded now."""
        return self.file_length(list(self.tensors().values()))
