import pytest
import torch

from sinenerf.theory import sine_variance, singular_values, stable_rank


@pytest.mark.parametrize("rank", [1, 3, 40])
@pytest.mark.parametrize("spread", [0.05, 0.3, 2.0, 50.0])
def test_variance_in_closed_form_is_what_normal_factors_give(spread, rank):
    std = (spread / rank**0.5) ** 0.5
    u, v = (std * torch.randn(200_000, rank, dtype=torch.float64) for _ in range(2))
    sampled = torch.sin((u * v).sum(-1)).square().mean()
    assert sine_variance(spread, rank) == pytest.approx(float(sampled), rel=0.03)


def test_theorem_rank_rises_with_omega():
    """sin(omega U V^T) has a larger rank, and a larger stable rank, than U V^T once omega is large enough."""
    generator = torch.Generator().manual_seed(3)
    u, v = (torch.rand(128, 1, generator=generator, dtype=torch.float64) * 2 - 1 for _ in range(2))
    ranks = [stable_rank(torch.sin(omega * u @ v.T)) for omega in (0.1, 10, 30, 100, 400)]
    assert stable_rank(u @ v.T) == pytest.approx(1)
    assert ranks == sorted(ranks)
    assert ranks[0] < 1.01 and ranks[-1] > 10
    assert torch.linalg.matrix_rank(u @ v.T) == 1
    assert torch.linalg.matrix_rank(torch.sin(2000 * u @ v.T)) == 128


@pytest.mark.parametrize("squash", [torch.sigmoid, torch.relu])
def test_other_functions_in_place_of_sine_collapse(squash):
    generator = torch.Generator().manual_seed(3)
    u, v = (torch.rand(128, 1, generator=generator, dtype=torch.float64) * 2 - 1 for _ in range(2))
    assert stable_rank(squash(400 * u @ v.T)) < 4 < stable_rank(torch.sin(400 * u @ v.T))


def test_singular_values_and_stable_rank():
    weight = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    torch.testing.assert_close(singular_values(weight), torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64))
    assert stable_rank(weight) == pytest.approx(14 / 9)
    assert stable_rank(torch.zeros(3, 3)) == 0
