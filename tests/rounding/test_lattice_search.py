"""The search for integers at the least cost: the algebra, and what order and survivors gain."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sinenerf.rounding import lattice_search
from sinenerf.rounding.lattice_search import closest_point, curvature_root, sorted_root


def a_curvature(count, seed):
    torch.manual_seed(seed)
    J = torch.randn(3 * count, count) * torch.logspace(0, -2, count) @ torch.randn(count, count)  # coupled parameters
    return J.T @ J / len(J)


def damped(H):
    return H.double() + (lattice_search.DAMPING * H.double().diagonal().mean() + 1e-12) * torch.eye(len(H)).double()


def cost_of(H, integers, values, steps):
    error = integers * steps - values
    return float(error @ damped(H) @ error)


def nearest_plane(H, values, steps):
    """Each to its best integer in turn, in the given order."""
    root, integers = curvature_root(H), torch.zeros_like(values)
    pulls = torch.zeros_like(values)
    for i in range(len(values)):
        integers[i] = ((values[i] - pulls[i] / root[i, i]) / steps[i]).round()
        pulls += (integers[i] * steps[i] - values[i]) * root[i]
    return integers


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 40), st.integers(0, 1000), st.floats(1e-3, 1.0))
def test_the_cost_is_at_most_that_of_the_remaining_curvatures(count, seed, step):
    """e^T H e <= sum d_i s^2 / 4 in the order of `sorted_root`, as if each were rounded by half a step."""
    H, values = a_curvature(count, seed), torch.randn(count, dtype=torch.float64)
    steps = torch.full((count,), step, dtype=torch.float64)
    root = curvature_root(H)
    integers = closest_point(values, steps, root)
    left = sorted_root(root, steps)[1].diagonal() ** 2
    assert cost_of(H, integers, values, steps) <= float(left.sum()) * step**2 / 4 * (1 + 1e-6)


@pytest.mark.parametrize("count", [1, 7, 30])
def test_a_sorted_root_is_the_root_of_the_sorted_matrix(count):
    H, steps = a_curvature(count, 0), torch.rand(count, dtype=torch.float64) + 0.1
    order, root = sorted_root(curvature_root(H), steps)
    assert sorted(order.tolist()) == list(range(count))
    torch.testing.assert_close(root @ root.T, damped(H)[order][:, order], rtol=1e-6, atol=1e-6)
    assert torch.equal(root, root.triu())


def test_sorting_makes_the_remaining_curvatures_more_equal():
    root, steps = curvature_root(a_curvature(200, 0)), torch.ones(200, dtype=torch.float64)
    given, ordered = root.diagonal() ** 2, sorted_root(root, steps)[1].diagonal() ** 2
    assert float(ordered.log().sum()) == pytest.approx(float(given.log().sum()), rel=1e-9)
    assert ordered.sum() < 0.9 * given.sum()


def test_few_parameters_reach_the_least_cost():
    values, steps = torch.randn(4, dtype=torch.float64), torch.full((4,), 0.5, dtype=torch.float64)
    for seed in range(20):
        torch.manual_seed(seed)
        J = torch.randn(12, 4)
        H = J.T @ J
        found = closest_point(values, steps, curvature_root(H))
        near = [found + torch.tensor(change, dtype=torch.float64) for change in product(range(-2, 3), repeat=4)]
        assert cost_of(H, found, values, steps) == min(cost_of(H, q, values, steps) for q in near)


def test_many_parameters_cost_less_than_by_nearest_plane_and_far_less_than_each_by_itself():
    costs = []
    for seed in range(5):
        H, values = a_curvature(200, seed), torch.randn(200, dtype=torch.float64)
        steps = torch.full((200,), 0.1, dtype=torch.float64)
        found = closest_point(values, steps, curvature_root(H))
        ways = found, nearest_plane(H, values, steps), (values / steps).round()
        costs.append([cost_of(H, q, values, steps) for q in ways])
    ours, plane, each = torch.tensor(costs).mean(0).tolist()
    assert ours < 0.8 * plane and plane < 0.5 * each


def test_without_coupling_each_goes_to_its_nearest():
    values, steps = torch.randn(30, dtype=torch.float64), torch.full((30,), 0.1, dtype=torch.float64)
    integers = closest_point(values, steps, curvature_root(torch.diag(torch.rand(30) + 0.1)))
    assert torch.equal(integers, (values / steps).round())


def test_integers_stay_within_the_bound_of_the_format():
    values, steps = torch.tensor([5.0, -5.0]).double(), torch.full((2,), 1e-4).double()
    integers = closest_point(values, steps, curvature_root(torch.eye(2)))
    assert integers.tolist() == [lattice_search.LARGEST, -lattice_search.LARGEST]
