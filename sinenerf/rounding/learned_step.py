"""The learned step of one tensor, see `sinenerf.rounding.by_learned_steps`."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.codec.entropy import LARGEST
from sinenerf.codec.tensors import GAUSSIAN_WIDTH, nearest_step

Values = Float[Tensor, "*shape"]


class LearnedStep(nn.Module):
    """Rounds one tensor: a parametrization of `torch.nn.utils.parametrize`. Until `start` it changes nothing."""

    fixed: Tensor
    """The integers of the parameters that have settled; NaN for the others."""

    def __init__(self, values: Values) -> None:
        super().__init__()
        self.active = self.settling = False
        self.register_buffer("fixed", torch.full_like(values, math.nan, requires_grad=False))
        self.log_step, self.log_a, self.log_c = (nn.Parameter(torch.zeros((), device=values.device)) for _ in range(3))

    @torch.no_grad()
    def start(self, values: Values, bits: float) -> None:
        """Round from now on, at first to about this many bits per parameter."""
        values = values.detach()
        spread = float(values.square().mean().sqrt()) or 1.0
        in_steps = 2 ** min(bits, 32) / GAUSSIAN_WIDTH  # more would overflow, and no file holds them
        in_steps = min(in_steps, LARGEST / 4 * spread / (float(values.abs().max()) or 1.0))  # lets the values grow
        self.log_step.fill_(math.log(spread / in_steps))
        self.log_a.fill_(math.log(0.5 / in_steps))
        self.log_c.fill_(math.log(0.5 / in_steps**2))
        self.active = True

    def get_extra_state(self) -> dict[str, bool]:
        return {"active": self.active, "settling": self.settling}

    def set_extra_state(self, state: dict[str, bool]) -> None:
        self.active, self.settling = state["active"], state["settling"]

    @property
    def step(self) -> Float[Tensor, ""]:
        """s as files hold it; gradients ignore the difference."""
        exact = self.log_step.exp()
        return exact + (nearest_step(exact) - exact).detach()

    def integers(self, values: Values) -> Values:
        """q = round(theta / s), with the gradient of theta / s."""
        scaled = (values / self.step).clamp(-LARGEST, LARGEST)
        rounded = scaled + (scaled.round() - scaled).detach()
        return torch.where(self.fixed.isnan(), rounded, self.fixed) if self.settling else rounded

    def forward(self, values: Values) -> Values:
        if self.settling:
            return torch.where(self.fixed.isnan(), values, self.fixed * self.step.detach())
        return self.integers(values) * self.step if self.active else values

    @torch.no_grad()
    def distance(self, values: Values) -> Values:
        """Distance of each parameter to the nearest multiple, in steps; infinity where it has settled."""
        scaled = values / self.step
        return torch.where(self.fixed.isnan(), (scaled - scaled.round()).abs(), math.inf)

    @torch.no_grad()
    def fix(self, values: Values, within: float) -> None:
        """Fix the parameters whose distance is at most `within`."""
        near = self.distance(values) <= within
        self.fixed[near] = self.integers(values)[near].round()

    @torch.no_grad()
    def coarsen(self, values: Values, log_factor: float) -> None:
        """Multiply the step by exp(log_factor), and free all parameters, settled ones too.

        The step stays large enough for the largest integers that a file can hold, with room for the values to grow.
        """
        values.copy_(torch.where(self.fixed.isnan(), values, self.fixed * self.step))
        self.fixed.fill_(math.nan)
        self.settling = False
        smallest = 2 * (float(values.abs().max()) or 1e-30) / LARGEST
        self.log_step.add_(log_factor).clamp_(min=math.log(smallest))

    def right_inverse(self, values: Values) -> Values:
        """The identity, so that registering the parametrization leaves the values unchanged."""
        return values

    def bits(self, values: Values) -> Float[Tensor, ""]:
        """R, the estimated length of the tensor."""
        q = self.integers(values)
        a, c = self.log_a.exp(), self.log_c.exp()
        largest = int(q.detach().abs().max())
        support = torch.arange(-largest, largest + 1, device=q.device, dtype=q.dtype)
        norm = torch.logsumexp(-a * support.abs() - c * support.square() / 2, 0)
        return (a * q.abs() + c * q.square() / 2 + norm).sum() / math.log(2)
