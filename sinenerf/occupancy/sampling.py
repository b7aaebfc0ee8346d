"""Training points with labels. A batch depends only on seed, step and size, so a resumed run draws the same points."""

from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sinenerf.common.progress import track
from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.solid import Points, Solid

Batch = tuple[Float[Tensor, "n 3"], Float[Tensor, "n 1"]]
"""Points of the cube and their occupancy: 1 inside, 0 outside, and in between only very near the surface."""

SOFTNESS = 0.003
"""Depth in cube units at which the surface sampler's occupancy is sigmoid(1) = 0.73. Logits can fit a step of this
sharpness; a hard step makes them grow without bound, which costs accuracy when parameters are rounded."""
FARTHER = 4
"""Ratio of the two distances at which points lie near the surface."""

HELD_OUT, HELD_OUT_DISTANCE = 100_000, 0.02
"""Points for the IoU in the progress bar, and their distance from a surface so thin that uniform ones miss it."""


@runtime_checkable
class Sampler(Protocol):
    """Source of labelled training points."""

    def batch(self, step: int, size: int) -> Batch:
        """`size` points with labels for one training step."""
        ...


def soft_labels(solid: Solid, points: Points) -> Float[np.ndarray, " n"]:
    """Occupancy of points, sigmoid(signed distance / SOFTNESS)."""
    from scipy.special import expit

    return np.asarray(expit((2.0 * solid.contains(points) - 1) * solid.distance(points) / SOFTNESS))


def held_out(solid: Solid, seed: int) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:
    """`HELD_OUT` points, and whether they are inside: uniform in the cube or, of a rod or a sheet so thin that none of
    these is inside, near the surface."""
    random = np.random.default_rng(seed)
    points = random.uniform(-1, 1, (HELD_OUT, 3))
    inside = solid.contains(points)
    if not inside.any():
        points = np.clip(solid.near_surface(HELD_OUT, HELD_OUT_DISTANCE, random), -1, 1)
        inside = solid.contains(points)
    return points, inside


class SurfaceSampler:
    """A pool of labelled points, most of them near the surface and the others uniform in the cube.

    Labels cost more than a training step, so they are computed once; each step takes the next slice of the pool. Near
    the surface a label is sigmoid(signed distance / SOFTNESS), so each point carries information on where it lies.

    Args:
        count: size of the pool.
        near: fraction of the points near the surface.
        distance: standard deviation per axis of the offset from the surface of half of those, in cube units; that of
            the other half is `FARTHER` times as large.
    """

    def __init__(
        self,
        solid: Solid,
        seed: int = 0,
        count: int = 1_500_000,
        near: float = 0.7,
        distance: float = 0.01,
        progress: bool = False,
    ) -> None:
        random = np.random.default_rng(seed)
        points = np.empty((count, 3))
        half = min(round(count * near / 2), count // 2)
        points[:half] = solid.near_surface(half, distance, random)
        points[half : 2 * half] = solid.near_surface(half, FARTHER * distance, random)
        points[2 * half :] = random.uniform(-1, 1, (count - 2 * half, 3))
        inside = np.empty((count, 1), dtype=np.float32)
        for start in track(range(0, count, 2**16), "Labels", show=progress):
            part = slice(start, min(start + 2**16, count))
            near_part = start < 2 * half  # elsewhere distances do not matter
            inside[part, 0] = soft_labels(solid, points[part]) if near_part else solid.contains(points[part])
        order = random.permutation(count)
        self.points = torch.from_numpy(points[order].astype(np.float32))
        self.inside = torch.from_numpy(inside[order])

    def batch(self, step: int, size: int) -> Batch:
        count = len(self.points)
        start = step * size % count
        if start + size <= count:
            return self.points[start : start + size], self.inside[start : start + size]
        index = torch.arange(start, start + size) % count
        return self.points[index], self.inside[index]


class GridSampler:
    """The paper's protocol: every voxel centre of a grid over the cube once per epoch.

    Voxel i of an epoch is (a i + b) mod N with a coprime to N and near N / golden ratio: a permutation that needs no
    table and whose successive voxels lie far apart. Labels take one byte per voxel, 134 MB for 512^3.
    """

    def __init__(self, solid: Solid, seed: int = 0, resolution: int = 512, progress: bool = False) -> None:
        if resolution < 2:
            raise ValueError(f"a grid of resolution {resolution} is too coarse: use 2 or more")
        self.resolution, self.count = resolution, resolution**3
        self.inside = torch.empty(self.count, dtype=torch.bool)
        slab = max(1, 2**20 // resolution**2) * resolution**2
        for start in track(range(0, self.count, slab), f"Labels, {resolution}^3", show=progress):
            index = torch.arange(start, min(start + slab, self.count))
            self.inside[index] = torch.from_numpy(solid.contains(self.centres(index).double().numpy()))
        self.stride = round(self.count * (5**0.5 - 1) / 2)
        while np.gcd(self.stride, self.count) != 1:
            self.stride += 1
        self.offset = int(np.random.default_rng(seed).integers(self.count))

    def centres(self, index: Tensor) -> Float[Tensor, "n 3"]:
        """Centres of voxels in the cube; the index runs fastest along z."""
        r = self.resolution
        cell = torch.stack([index // r**2, index // r % r, index % r], dim=1)
        return (2 * cell + 1).float() / r - 1

    def batch(self, step: int, size: int) -> Batch:
        turn = (step * size + torch.arange(size)) % self.count
        index = (turn * self.stride + self.offset) % self.count
        return self.centres(index), self.inside[index].float()[:, None]


@lru_cache(maxsize=4)  # a sweep fits many fields to one solid
def _surface_sampler(
    solid: Solid, seed: int, pool: int, near: float, distance: float, progress: bool
) -> SurfaceSampler:
    return SurfaceSampler(solid, seed, pool, near, distance, progress)


def make_sampler(config: FitConfig, solid: Solid, progress: bool = False) -> Sampler:
    """The sampler of a training."""
    if config.sampler == "surface":
        return _surface_sampler(solid, config.seed, config.pool, config.near, config.distance, progress)
    return GridSampler(solid, config.seed, config.resolution, progress)
