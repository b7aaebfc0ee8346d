"""Shapes for the page: surfaces at any resolution and level, their distance to the original, and their quality."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from sinenerf.viewer.array_packets import differences, pack, quantise
from sinenerf.viewer.assets import Item, shared_frame
from sinenerf.viewer.jobs import Jobs

if TYPE_CHECKING:
    from sinenerf.occupancy.evaluate import Evaluation, Truth
    from sinenerf.occupancy.field import OccupancyField
    from sinenerf.occupancy.solid import Placement, Solid

KEPT = 16
"""Surfaces that are kept for the next who asks."""
QUALITY_POINTS, QUALITY_RESOLUTION = 200_000, 256
"""Of the labels' IoU and Chamfer distance; `sinenerf eval` takes five times the points."""

Arrays = tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]


def _patient() -> None:
    """The check of an asker who stays."""


class Shapes:
    """Surfaces of the items that are shown, made one at a time and shared by all pages.

    Args:
        original: the mesh that distances and quality refer to.
    """

    def __init__(self, items: list[Item], original: Item | None, jobs: Jobs) -> None:
        self.items, self.original, self.jobs = items, original, jobs
        self._made: OrderedDict[tuple, Arrays] = OrderedDict()
        self._working, self._comparing = Lock(), Lock()
        self._quality: dict[int, Evaluation] = {}
        self._truths: dict[Placement, Truth] = {}

    @property
    def first(self) -> Item:
        """The shape whose frame the others share. Of a folder of results scenes may have been opened before it."""
        return self.original or next(item for item in self.items if item.kind != "scene")

    def surface(
        self, index: int, resolution: int, level: float, quick: bool = False, check: Callable[[], None] = _patient
    ) -> Arrays:
        """(vertices, faces) of an item in its own coordinates; a mesh is what it is, at any resolution.

        Raises:
            LevelError: no surface there.
            Stale: whoever asked wants something newer.
        """
        item = self.items[index].load()
        if item.kind == "mesh":
            return np.asarray(item.mesh.vertices), np.asarray(item.mesh.faces)
        key = (index, resolution, level, quick)
        with self._working:
            if key not in self._made:
                self._made[key] = self._extract(item, resolution, level, quick, check)
                while len(self._made) > KEPT:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            return self._made[key]

    def _extract(self, item: Item, resolution: int, level: float, quick: bool, check: Callable[[], None]) -> Arrays:
        from sinenerf.occupancy.surface import find_surface

        with self.jobs.job(f"{item.path.name}: meshing at {resolution}³") as say:

            def watch(evaluations: int) -> None:
                check()
                say(f"{evaluations:,} points")

            check()
            made = find_surface(item.field, resolution, level, quick, watch)  # type: ignore[arg-type]
        return made.vertices, made.faces

    def mesh_packet(
        self, index: int, resolution: int, level: float, quick: bool = False, check: Callable[[], None] = _patient
    ) -> bytes:
        """A surface for the page, with its label, and the frame that it is shown in."""
        vertices, faces = self.surface(index, resolution, level, quick, check)
        item = self.items[index]
        frame = shared_frame(item, self.first)
        positions, low, size = quantise(vertices)
        header = {"low": low, "size": size, "centre": frame.centre, "scale": frame.scale}
        header |= {"facts": item.facts(), "faces": len(faces)}
        return pack(header, {"positions": positions, "faces": differences(faces)})

    def distance_packet(
        self, index: int, resolution: int, level: float, quick: bool = False, check: Callable[[], None] = _patient
    ) -> bytes:
        """Signed distance of each vertex to the original, in its unit: positive outside.

        Raises:
            ValueError: there is no original.
        """
        vertices, _ = self.surface(index, resolution, level, quick, check)
        with self.jobs.job(f"{self.items[index].path.name}: distance to the original"):
            distance = self.distance(vertices)
        largest = float(abs(distance).max(initial=1e-12))
        header = {"largest": largest, "diagonal": self.diagonal}
        return pack(header, {"distance": np.rint(distance / largest * 32767).astype(np.int16)})

    @property
    def diagonal(self) -> float:
        """Of the original's bounding box, in its unit."""
        return float(np.linalg.norm(self._original().mesh.extents))

    def distance(self, points: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, " v"]:
        """Signed distance of points to the original, in its unit: positive outside."""
        import igl

        mesh, solid = self._original().mesh, self._solid
        squared, *_ = igl.point_mesh_squared_distance(
            np.ascontiguousarray(points, dtype=np.float64), np.asarray(mesh.vertices), np.asarray(mesh.faces)
        )
        inside = solid.contains(self._original().placement.to_cube(points))
        return np.sqrt(squared) * np.where(inside, -1, 1)

    def quality(self, index: int) -> dict[str, float | None]:
        """How near an item is to the original: the measures of `sinenerf eval`."""
        item = self.items[index].load()
        with self._comparing:
            if index not in self._quality:
                with self.jobs.job(f"{item.path.name}: quality"):
                    self._quality[index] = self._evaluate(index, item)
        return {k: v for k, v in asdict(self._quality[index]).items() if k not in ("bytes", "parameters")}

    def _evaluate(self, index: int, item: Item) -> "Evaluation":
        from sinenerf.occupancy.surface import LevelError

        size = item.path.stat().st_size
        if item.kind == "mesh":
            return self._truth(self._original().placement).of_mesh(item.mesh, size)
        import trimesh

        field: OccupancyField = item.field  # type: ignore[assignment]
        try:  # most often the page shows this very surface
            surface = trimesh.Trimesh(*self.surface(index, QUALITY_RESOLUTION, 0.5), process=False)
        except LevelError:
            surface = None
        return self._truth(item.placement).of_field(field, surface, size)

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

    def _original(self) -> Item:
        if self.original is None:
            raise ValueError("there is no original to compare with: give it as --original MESH")
        return self.original.load()
