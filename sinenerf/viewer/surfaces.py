"""Surfaces of shapes for the page, at any resolution and level, with distances to the original and quality."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from sinenerf.viewer.array_packets import differences, pack, quantise
from sinenerf.viewer.assets import Asset, display_frame
from sinenerf.viewer.jobs import Jobs

if TYPE_CHECKING:
    from sinenerf.occupancy.evaluate import Evaluation, Truth
    from sinenerf.occupancy.field import OccupancyField
    from sinenerf.occupancy.solid import Placement, Solid

CACHE_SIZE = 16
"""Surfaces kept for later requests."""
QUALITY_POINTS, QUALITY_RESOLUTION = 200_000, 256
"""For the IoU and Chamfer distance of the labels; `sinenerf eval` uses five times the points."""

Arrays = tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]
"""Vertices and faces."""


def _never_superseded() -> None:
    """The check of a request that is always completed."""


class Surfaces:
    """Surfaces of the assets on display, extracted one at a time and shared by all pages.

    Args:
        original: the mesh that distances and quality refer to.
    """

    def __init__(self, assets: list[Asset], original: Asset | None, jobs: Jobs) -> None:
        self.assets, self.original, self.jobs = assets, original, jobs
        self._cache: OrderedDict[tuple, Arrays] = OrderedDict()
        self._extracting, self._evaluating = Lock(), Lock()
        self._evaluations: dict[int, Evaluation] = {}
        self._truths: dict[Placement, Truth] = {}

    @property
    def reference(self) -> Asset:
        """The shape whose frame the others share. A results page may have opened scenes before it."""
        return self.original or next(asset for asset in self.assets if asset.kind != "scene")

    def surface(
        self,
        index: int,
        resolution: int,
        level: float,
        quick: bool = False,
        check: Callable[[], None] = _never_superseded,
    ) -> Arrays:
        """(vertices, faces) of an asset in its own coordinates; a mesh is returned unchanged at any resolution.

        Raises:
            LevelError: the field has no surface at this level.
            Superseded: raised by `check`.
        """
        asset = self.assets[index].load()
        if asset.kind == "mesh":
            return np.asarray(asset.mesh.vertices), np.asarray(asset.mesh.faces)
        key = (index, resolution, level, quick)
        with self._extracting:
            if key not in self._cache:
                self._cache[key] = self._extract(asset, resolution, level, quick, check)
                while len(self._cache) > CACHE_SIZE:
                    self._cache.popitem(last=False)
            self._cache.move_to_end(key)
            return self._cache[key]

    def _extract(self, asset: Asset, resolution: int, level: float, quick: bool, check: Callable[[], None]) -> Arrays:
        from sinenerf.occupancy.surface import find_surface

        with self.jobs.running(f"{asset.path.name}: meshing at {resolution}³") as update:

            def watch(evaluations: int) -> None:
                check()
                update(f"{evaluations:,} points")

            check()
            field: OccupancyField = asset.field  # type: ignore[assignment]
            surface = find_surface(field.logits, field.placement, resolution, level, quick, watch)
        return surface.vertices, surface.faces

    def mesh_packet(
        self,
        index: int,
        resolution: int,
        level: float,
        quick: bool = False,
        check: Callable[[], None] = _never_superseded,
    ) -> bytes:
        """A surface as a packet, with its caption and the frame to display it in."""
        vertices, faces = self.surface(index, resolution, level, quick, check)
        asset = self.assets[index]
        frame = display_frame(asset, self.reference)
        positions, low, size = quantise(vertices)
        header = {"low": low, "size": size, "centre": frame.centre, "scale": frame.scale}
        header |= {"caption": asset.caption(), "faces": len(faces)}
        return pack(header, {"positions": positions, "faces": differences(faces)})

    def distance_packet(
        self,
        index: int,
        resolution: int,
        level: float,
        quick: bool = False,
        check: Callable[[], None] = _never_superseded,
    ) -> bytes:
        """Signed distance of each vertex to the original, in its unit and positive outside, as a packet.

        Raises:
            ValueError: no original was given.
        """
        vertices, _ = self.surface(index, resolution, level, quick, check)
        with self.jobs.running(f"{self.assets[index].path.name}: distance to the original"):
            distance = self.distance(vertices)
        largest = float(abs(distance).max(initial=1e-12))
        header = {"largest": largest, "diagonal": self.diagonal}
        return pack(header, {"distance": np.rint(distance / largest * 32767).astype(np.int16)})

    @property
    def diagonal(self) -> float:
        """Diagonal of the original's bounding box, in its unit."""
        return float(np.linalg.norm(self._original().mesh.extents))

    def distance(self, points: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, " v"]:
        """Signed distance of points to the original, in its unit and positive outside."""
        import igl

        mesh, solid = self._original().mesh, self._solid
        squared, *_ = igl.point_mesh_squared_distance(
            np.ascontiguousarray(points, dtype=np.float64), np.asarray(mesh.vertices), np.asarray(mesh.faces)
        )
        inside = solid.contains(self._original().placement.to_cube(points))
        return np.sqrt(squared) * np.where(inside, -1, 1)

    def quality(self, index: int) -> dict[str, float | None]:
        """Similarity of an asset to the original, by the measures of `sinenerf eval`."""
        asset = self.assets[index].load()
        with self._evaluating:
            if index not in self._evaluations:
                with self.jobs.running(f"{asset.path.name}: quality"):
                    self._evaluations[index] = self._evaluate(index, asset)
        return {k: v for k, v in asdict(self._evaluations[index]).items() if k not in ("bytes", "parameters")}

    def _evaluate(self, index: int, asset: Asset) -> "Evaluation":
        from sinenerf.occupancy.surface import LevelError

        size = asset.path.stat().st_size
        if asset.kind == "mesh":
            return self._truth(self._original().placement).evaluate_mesh(asset.mesh, size)
        import trimesh

        field: OccupancyField = asset.field  # type: ignore[assignment]
        try:  # most often the page displays this very surface, which is then cached
            surface = trimesh.Trimesh(*self.surface(index, QUALITY_RESOLUTION, 0.5), process=False)
        except LevelError:
            surface = None
        return self._truth(asset.placement).evaluate_field(field, size, surface)

    def _truth(self, placement: "Placement") -> "Truth":
        """The original in a cube; fields of one mesh share theirs."""
        from sinenerf.occupancy.evaluate import Truth

        if placement not in self._truths:
            self._truths[placement] = Truth(self._original().mesh, placement, QUALITY_POINTS)
        return self._truths[placement]

    @cached_property
    def _solid(self) -> "Solid":
        from sinenerf.occupancy.solid import Solid

        return Solid(self._original().mesh, self._original().placement)

    def _original(self) -> Asset:
        if self.original is None:
            raise ValueError("no original to compare with: give one with --original MESH")
        return self.original.load()
