"""Shapes compared with the original: distances of the page's surfaces to it, and quality."""

from dataclasses import asdict
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sinenerf.viewer.assets import Asset

if TYPE_CHECKING:
    from sinenerf.occupancy.evaluate import Evaluation, Truth
    from sinenerf.occupancy.field import OccupancyField
    from sinenerf.occupancy.solid import Placement, Solid

Version = tuple[int, int] | None
"""Of a file, which may be written anew: `Asset.version`."""
POINTS, RESOLUTION = 200_000, 256
"""For the IoU and Chamfer distance of the labels; `sinenerf eval` uses five times the points."""


class Comparison:
    """Compares the assets on display with the original, one at a time, for all pages.

    Args:
        assets: shapes and meshes.
        original: the mesh that distances and quality refer to; None if none was given.
    """

    def __init__(self, assets: list[Asset], original: Asset | None) -> None:
        self.assets, self.original = assets, original
        self._evaluating = Lock()
        self._evaluations: dict[tuple[Version, Version, int], Evaluation] = {}
        self._truths: dict[tuple[Version, Placement], Truth] = {}
        self._solids: dict[Version, Solid] = {}

    @property
    def diagonal(self) -> float:
        """Diagonal of the original's bounding box, in its unit."""
        return float(np.linalg.norm(self._original().mesh.extents))

    def distance(self, points: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, " v"]:
        """Signed distance of points to the original, in its unit and positive outside.

        Raises:
            ValueError: no original was given.
        """
        import igl

        mesh, solid = self._original().mesh, self._solid()
        squared, *_ = igl.point_mesh_squared_distance(
            np.ascontiguousarray(points, dtype=np.float64), np.asarray(mesh.vertices), np.asarray(mesh.faces)
        )
        inside = solid.contains(self._original().placement.to_cube(points))
        return np.sqrt(squared) * np.where(inside, -1, 1)

    def quality(self, index: int) -> dict[str, float | None]:
        """Similarity of an asset to the original, by the measures of `sinenerf eval`."""
        asset = self.assets[index].load()
        with self._evaluating:
            key = self._original().version, asset.version, index
            if key not in self._evaluations:
                self._evaluations[key] = self._evaluate(asset)
        return {k: v for k, v in asdict(self._evaluations[key]).items() if k not in ("bytes", "parameters")}

    def _evaluate(self, asset: Asset) -> "Evaluation":
        if asset.kind == "mesh":
            return self._truth(self._original().placement).evaluate_mesh(asset.mesh, asset.size)
        from sinenerf.occupancy.evaluate import surface_of

        field: OccupancyField = asset.field  # type: ignore[assignment]
        return self._truth(asset.placement).evaluate_field(field, asset.size, surface_of(field, RESOLUTION))

    def _truth(self, placement: "Placement") -> "Truth":
        """The original in a cube; fields of one mesh share theirs."""
        from sinenerf.occupancy.evaluate import Truth

        key = self._original().version, placement
        if key not in self._truths:
            self._truths[key] = Truth(self._original().mesh, placement, POINTS)
        return self._truths[key]

    def _solid(self) -> "Solid":
        from sinenerf.occupancy.solid import Solid

        original = self._original()
        if original.version not in self._solids:
            self._solids[original.version] = Solid(original.mesh, original.placement)
        return self._solids[original.version]

    def _original(self) -> Asset:
        if self.original is None:
            raise ValueError("no original to compare with: give one with --original MESH")
        return self.original.load()
