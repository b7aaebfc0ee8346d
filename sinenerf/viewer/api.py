"""Everything that the page can request, by URL path: served live, or embedded in an exported page.

The page decodes .sine files and draws them itself. It asks for what needs Python: meshes of other formats, the
distance to an original, quality, singular values and plots.
"""

import json
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from sinenerf.common.axes import Up
from sinenerf.viewer.assets import Asset
from sinenerf.viewer.comparison import Comparison
from sinenerf.viewer.sharing import STATIC

if TYPE_CHECKING:
    from sinenerf.viewer.result_plots import ResultPlots

Query = dict[str, str]
Response = tuple[str, bytes]
"""Content type and body."""
BINARY, JSON = "application/octet-stream", "application/json"
NO_RESULTS = "no folder of results was given"


class Jobs:
    """The jobs that the server is running, each with a line for the page to show."""

    def __init__(self) -> None:
        self._lines: dict[int, str] = {}
        self._numbers = count()

    @contextmanager
    def running(self, title: str) -> Iterator[None]:
        """List `title` as running within the block."""
        number = next(self._numbers)
        self._lines[number] = title
        try:
            yield
        finally:
            del self._lines[number]

    def status(self) -> list[str]:
        """A line for each running job, oldest first."""
        return [line for _, line in sorted(self._lines.items())]


class ViewerApi:
    """The assets on display and the requests that a page can make about them. Safe to call from several threads.

    Args:
        assets: shapes and meshes, or scenes; empty if a folder of results is shown.
        original: the mesh that shapes are compared with.
        results: plots of a sweep, whose fields are opened on demand.
        up: axis of the shapes that points up; None for what their files say, and for a guess where they say nothing.
    """

    def __init__(
        self,
        assets: list[Asset],
        original: Asset | None = None,
        results: "ResultPlots | None" = None,
        up: Up | None = None,
    ) -> None:
        self.assets, self.results, self.up = assets, results, up
        self.jobs = Jobs()
        self.comparison = Comparison(assets, original)
        self.routes: dict[str, Callable[[Query, bytes], Response]] = {
            "/state": self.state,
            "/jobs": self.running_jobs,
            "/file": self.file,
            "/mesh": self.mesh,
            "/distances": self.distances,
            "/quality": self.quality,
            "/layers": self.layers,
            "/plot": self.plot,
            "/open": self.open,
        }
        """Functions of the query and of the body that was sent."""

    @property
    def reference(self) -> Asset:
        """The shape whose frame the others share: a field, which knows what is up, or else the original, or any mesh. A
        results page may have opened scenes before it."""
        shapes = [asset for asset in self.assets if asset.kind != "scene"]
        return next((asset for asset in shapes if asset.kind == "shape"), self.comparison.original or shapes[0])

    def state(self, query: Query, body: bytes = b"") -> Response:
        """What the page shows at first."""
        return _json(
            {
                "assets": [self._asset_entry(index) for index in range(len(self.assets))],
                "original": self.comparison.original is not None,
                "results": self.results is not None,
                "up": self.up,
                "ups": get_args(Up),
            }
        )

    def running_jobs(self, query: Query, body: bytes = b"") -> Response:
        """A line for each running job."""
        return _json(self.jobs.status())

    def file(self, query: Query, body: bytes = b"") -> Response:
        """The .sine file of a shape or scene."""
        asset = self.assets[self._index(query)]
        if asset.kind == "mesh":
            raise ValueError(f"{asset.path.name}: is not a .sine file")
        return BINARY, asset.refresh().data

    def mesh(self, query: Query, body: bytes = b"") -> Response:
        """A mesh: the length of a JSON header (u32), the header with its caption, numbers of vertices and faces, the
        cube around it and its up axis, then vertices in that cube (float32) and faces (uint32), and red, green and blue
        of each vertex (uint8) where the header says that it has colours. All little-endian."""
        asset = self.assets[self._index(query)]
        if asset.kind != "mesh":
            raise ValueError(f"{asset.path.name}: is not a mesh")
        mesh, placement = asset.refresh().load().mesh, asset.placement
        header: dict[str, Any] = {"vertices": len(mesh.vertices), "faces": len(mesh.faces), "caption": asset.caption()}
        header |= asdict(placement)
        coloured = mesh.visual.kind == "vertex"
        text = json.dumps(header | {"coloured": coloured}).encode()
        text += b" " * (-len(text) % 4)  # so that the arrays are aligned
        arrays = [placement.to_cube(mesh.vertices).astype("<f4"), np.asarray(mesh.faces, "<u4")]
        if coloured:
            arrays.append(np.asarray(mesh.visual.vertex_colors, np.uint8)[:, :3])
        return BINARY, struct.pack("<I", len(text)) + text + b"".join(array.tobytes() for array in arrays)

    def distances(self, query: Query, body: bytes = b"") -> Response:
        """The diagonal of the original, then the signed distance of each point of the body to it, positive outside: all
        float32, in the original's unit. The points lie in the cube around the asset: far from the origin, float32 would
        round them in its own coordinates."""
        if len(body) % 12:
            raise ValueError("distances are those of points, each of three float32")
        placement = self.assets[self._index(query)].load().placement
        with self.jobs.running("distance to the original"):
            distances = self.comparison.distance(placement.from_cube(np.frombuffer(body, "<f4").reshape(-1, 3)))
        return BINARY, np.append(self.comparison.diagonal, distances).astype("<f4").tobytes()

    def quality(self, query: Query, body: bytes = b"") -> Response:
        """Similarity of a shape to the original."""
        index = self._index(query)
        with self.jobs.running(f"{self.assets[index].path.name}: quality"):
            return _json(self.comparison.quality(index))

    def layers(self, query: Query, body: bytes = b"") -> Response:
        """The layers of a field's network."""
        asset = self.assets[self._index(query)]
        if asset.kind == "mesh":
            return _json([])
        from sinenerf.viewer.layer_inspection import inspect_layers

        with self.jobs.running(f"{asset.path.name}: singular values"):
            return _json(inspect_layers(asset.load().field, asset.data))

    def plot(self, query: Query, body: bytes = b"") -> Response:
        """The rate-distortion plot."""
        if self.results is None:
            raise ValueError(NO_RESULTS)
        with self.jobs.running("drawing the plot"):
            return _json(self.results.plot(query.get("axis", "bytes"), query.get("dataset")))

    def open(self, query: Query, body: bytes = b"") -> Response:
        """The asset behind a mark of the plot."""
        if self.results is None:
            raise ValueError(NO_RESULTS)
        asset = self.results.asset(query.get("key", ""))
        if asset.path not in [other.path for other in self.assets]:
            self.assets.append(asset)
        return _json(self._asset_entry([other.path for other in self.assets].index(asset.path)))

    def _asset_entry(self, index: int) -> dict[str, Any]:
        asset, original = self.assets[index], self.comparison.original
        is_original = original is not None and asset.path == original.path
        return {"id": index, "name": asset.path.name, "kind": asset.kind, "original": is_original}

    def _index(self, query: Query) -> int:
        text = query.get("asset", "")
        if not (text.isdecimal() and int(text) < len(self.assets)):
            raise ValueError(f"no asset has the number {text!r}")
        return int(text)


def _json(content: Any) -> Response:
    return JSON, json.dumps(content).encode()


PageName = Literal["inspector", "exported_shapes", "exported_scenes"]


def page_html(name: PageName = "inspector") -> str:
    """A page as one file, the live page, which shows anything, or one to be exported; all are built from
    viewer/inspector."""
    return (STATIC / f"{name}.html").read_text(encoding="utf-8")
