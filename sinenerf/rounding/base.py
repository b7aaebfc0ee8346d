"""The interface of the two methods that round a network's parameters during training."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from sinenerf.codec.neuron_symmetry import hidden_layers
from sinenerf.codec.tensors import QuantisedTensor, StoredTensor

FileLength = Callable[[Sequence[StoredTensor]], int]
"""Number of bytes of the file that holds these tensors."""


class Rounding(ABC):
    """Rounds the trainable parameters of a module to multiples of a step per tensor, to fit a file of a given size.

    The training loop calls `before_step` and `after_step` around each step of its optimiser, and `finish` at the end:

        for step in range(steps):
            rounding.before_step(step / steps)
            ...  # loss, gradients, optimiser
            rounding.after_step()
        tensors = rounding.finish()

    Args:
        size: largest number of bytes of the file.
        file_length: gives the size of the file that holds given tensors.
    """

    def __init__(self, module: nn.Module, size: int, file_length: FileLength) -> None:
        self.size, self.file_length = size, file_length
        self.layers = hidden_layers(module)
        self.count = sum(p.numel() for p in module.parameters() if p.requires_grad)

    @property
    @abstractmethod
    def active(self) -> bool:
        """Whether rounding has started."""

    @abstractmethod
    def start(self) -> None:
        """Choose the steps and round from now on. `before_step` calls this when it is due."""

    @abstractmethod
    def before_step(self, done: float) -> None:
        """Round the parameters that are due when the fraction `done` of the training is over."""

    @abstractmethod
    def after_step(self) -> None:
        """Undo the optimiser's changes to parameters that are fixed."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The state that a checkpoint needs besides the module's own."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from the `state()` of a checkpoint."""

    @abstractmethod
    def tensors(self) -> dict[str, QuantisedTensor]:
        """All tensors as rounded now, neurons in a file's order."""

    @abstractmethod
    def finish(self) -> dict[str, QuantisedTensor]:
        """Round all parameters that are still free, with larger steps if the file would exceed `size` bytes.

        Returns the tensors, neurons in a file's order; the module has the same values, neurons in its own order.
        """

    def length(self) -> int:
        """Number of bytes of the file that holds the tensors as rounded now."""
        return self.file_length(list(self.tensors().values()))
