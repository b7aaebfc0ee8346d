"""Search for the integers whose rounding errors raise a quadratic loss least: a closest vector problem in a lattice.

For steps s and the curvature H = R R^T, R upper triangular, integers q with errors e = s q - theta cost

    e^T H e = sum_i (R_ii (e_i - c_i))^2        where c_i, and so the best q_i, depends on q_1 to q_(i-1) only

Rounding to the best q_i in turn (Babai's nearest plane algorithm, 1986; optimal brain surgeon, Hassibi and Stork 1993;
GPTQ, Frantar et al. 2023, which applies it layer by layer, with the inverse of H) costs the sum of R_ii^2 s_i^2 / 12:
R_ii^2 is the curvature d_i that remains once all later parameters have adjusted. Two things make it cheaper:

- The order. The product of the s_i R_ii does not depend on it, so their squares have the least sum where they are
  nearly equal: the last is the parameter with the smallest s^2 H_ii, and so on towards the first (the sorted QR
  decomposition of multi-antenna receivers, Wuebben et al. 2001).
- The M-algorithm (Anderson and Mohan 1984): not one, but the `SURVIVORS` cheapest beginnings are kept, and each is
  continued with the two nearest integers.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import njit
from torch import Tensor

from sinenerf.codec.entropy import LARGEST

DAMPING = 1e-4
"""Multiple of the mean of H_ii that is added to each H_ii: H is unreliable in directions that hardly matter. 1e-3 and
1e-5 cost more."""
SURVIVORS = 32
"""Beginnings that are kept. Four times as many lower the cost by another 2 %."""


def cholesky(H: Float[Tensor, "n n"], damping: float) -> Float[Tensor, "n n"]:
    """The lower triangular root of H, in float64, with that multiple of the mean of H_ii added to each H_ii; with more
    if H, by its rounding errors, is not positive definite."""
    H = H.to(torch.float64)
    added = damping * float(H.diagonal().mean()) + 1e-12
    while True:
        root, failed = torch.linalg.cholesky_ex(H + added * torch.eye(len(H), dtype=H.dtype))
        if not failed or not math.isfinite(added):
            return root
        added *= 10


def curvature_root(curvature: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """The upper triangular R of H = R R^T, for the damped H, in float64."""
    return cholesky(curvature.flip(0, 1), DAMPING).flip(0, 1)


def sorted_root(
    root: Float[Tensor, "n n"], steps: Float[Tensor, " n"]
) -> tuple[Int[Tensor, " n"], Float[Tensor, "n n"]]:
    """The order in which to round parameters, and the root for parameters in that order."""
    part = root * steps[:, None]
    order, product = np.arange(len(root)), (part @ part.T).numpy()
    _root_from_smallest(product, order)
    places = torch.from_numpy(order)
    return places, torch.from_numpy(np.triu(product)) / steps[places, None]


def closest_point(
    values: Float[Tensor, " n"], steps: Float[Tensor, " n"], root: Float[Tensor, "n n"]
) -> Float[Tensor, " n"]:
    """The integers of values that are rounded at nearly the least cost."""
    order, root = sorted_root(root, steps)
    found = search(values[order].numpy(), steps[order].numpy(), root.numpy(), SURVIVORS)
    return torch.empty_like(values).scatter_(0, order, torch.from_numpy(found))


@njit(cache=True)
def _root_from_smallest(matrix, order):
    """The upper triangular root of a symmetric matrix, which it replaces, with its rows and columns, and the first
    entries of `order`, rearranged so that each pivot, from the last to the first, is the smallest that is left.

    Only the lower half of the part that is left is kept up to date; the root grows in the upper half.
    """
    n = len(matrix)
    for last in range(n - 1, -1, -1):
        pick = last
        for i in range(last):
            if matrix[i, i] < matrix[pick, pick]:
                pick = i
        if pick < last:
            order[pick], order[last] = order[last], order[pick]
            matrix[pick, pick], matrix[last, last] = matrix[last, last], matrix[pick, pick]
            for j in range(pick):
                matrix[pick, j], matrix[last, j] = matrix[last, j], matrix[pick, j]
            for j in range(pick + 1, last):
                matrix[j, pick], matrix[last, j] = matrix[last, j], matrix[j, pick]
            for j in range(last + 1, n):
                matrix[pick, j], matrix[last, j] = matrix[last, j], matrix[pick, j]
        matrix[last, last] = np.sqrt(max(matrix[last, last], 1e-300))
        column = matrix[last, :last] / matrix[last, last]
        matrix[:last, last] = column
        for i in range(last):
            for j in range(i + 1):
                matrix[i, j] -= column[i] * column[j]


@njit(cache=True)
def search(values, steps, root, survivors):
    """The integers of values in the given order: the best of the M-algorithm."""
    count = len(values)
    pulls, grown = np.zeros((survivors, count)), np.zeros((survivors, count))  # R^T e of each survivor
    integers, parents = np.zeros((count, survivors)), np.zeros((count, survivors), np.int64)
    costs = np.zeros(1)
    for i in range(count):
        best = (values[i] - pulls[: len(costs), i] / root[i, i]) / steps[i]
        nearest = np.rint(best)
        choices = np.concatenate((nearest, nearest + np.where(best < nearest, -1, 1)))
        choices = np.minimum(np.maximum(choices, -LARGEST), LARGEST)
        distances = (choices - np.concatenate((best, best))) * (steps[i] * root[i, i])
        totals = np.concatenate((costs, costs)) + distances * distances
        kept = np.argsort(totals)[:survivors]
        for survivor, choice in enumerate(kept):
            parent = choice % len(costs)
            integers[i, survivor], parents[i, survivor] = choices[choice], parent
            error = choices[choice] * steps[i] - values[i]
            for j in range(i + 1, count):
                grown[survivor, j] = pulls[parent, j] + error * root[i, j]
        pulls, grown = grown, pulls
        costs = totals[kept]
    found, survivor = np.empty(count), 0
    for i in range(count - 1, -1, -1):
        found[i], survivor = integers[i, survivor], parents[i, survivor]
    return found
