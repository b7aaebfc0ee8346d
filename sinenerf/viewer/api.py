"""Everything that the page can request, by URL path: served live, or embedded in an exported page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from sinenerf.viewer.assets import Asset, Up
from sinenerf.viewer.jobs import Jobs, LatestRequests
from sinenerf.viewer.surfaces import Surfaces

if TYPE_CHECKING:
    from sinenerf.viewer.result_plots import ResultPlots

Query = dict[str, str]
Response = tuple[str, bytes]
"""Content type and body."""
BINARY, JPEG, JSON = "application/octet-stream", "image/jpeg", "application/json"
MAX_RESOLUTION = 1024
"""Most cells a side that a page may request."""
NO_RESULTS = "no folder of results was given"


class ViewerApi:
    """The assets on display and the requests that a page can make about them. Safe to call from several threads.

    Args:
        assets: shapes and meshes, or scenes; empty if a folder of results is shown.
        original: the mesh that shapes are compared with.
        results: plots of a sweep, whose fields are opened on demand.
    """

    def __init__(
        self, assets: list[Asset], original: Asset | None = None, results: "ResultPlots | None" = None, up: Up = "y"
    ) -> None:
        self.assets, self.results, self.up = assets, results, up
        self.jobs, self.requests = Jobs(), LatestRequests()
        self.surfaces = Surfaces(assets, original, self.jobs)
        self.routes: dict[str, Callable[[Query], Response]] = {
            "/state": self.state,
            "/jobs": self.running_jobs,
            "/mesh": self.mesh,
            "/distances": self.distances,
            "/quality": self.quality,
            "/layers": self.layers,
            "/scene": self.scene,
            "/picture": self.picture,
            "/plot": self.plot,
            "/open": self.open,
        }

    def state(self, query: Query) -> Response:
        """What the page shows at first."""
        return _json(
            {
                "assets": [self._asset_entry(index) for index in range(len(self.assets))],
                "original": self.surfaces.original is not None,
                "results": self.results is not None,
                "up": self.up,
                "ups": get_args(Up),
            }
        )

    def running_jobs(self, query: Query) -> Response:
        """A line for each running job."""
        return _json(self.jobs.status())

    def mesh(self, query: Query) -> Response:
        """The surface of a shape."""
        return BINARY, self.surfaces.mesh_packet(*self._surface_arguments(query))

    def distances(self, query: Query) -> Response:
        """Distances of the same surface's vertices to the original."""
        return BINARY, self.surfaces.distance_packet(*self._surface_arguments(query))

    def quality(self, query: Query) -> Response:
        """Similarity of a shape to the original."""
        return _json(self.surfaces.quality(self._index(query)))

    def layers(self, query: Query) -> Response:
        """The layers of a field's network."""
        asset = self.assets[self._index(query)]
        if asset.kind == "mesh":
            return _json([])
        from sinenerf.viewer.layer_inspection import inspect_layers

        with self.jobs.running(f"{asset.path.name}: singular values"):
            return _json(inspect_layers(asset.path, asset.load().field))

    def scene(self, query: Query) -> Response:
        """The initial camera of a scene, and its caption."""
        from sinenerf.viewer.scene_pictures import scene_info

        return _json(scene_info(self._scene(query)))

    def picture(self, query: Query) -> Response:
        """A scene from the page's camera."""
        from sinenerf.viewer.scene_pictures import PictureRequest, render_jpeg

        return JPEG, render_jpeg(self._scene(query), PictureRequest.parse(query), self._supersession_check(query))

    def plot(self, query: Query) -> Response:
        """The rate-distortion plot."""
        if self.results is None:
            raise ValueError(NO_RESULTS)
        with self.jobs.running("drawing the plot"):
            return _json(self.results.plot(query.get("axis", "bytes"), query.get("dataset")))

    def open(self, query: Query) -> Response:
        """The asset behind a mark of the plot."""
        if self.results is None:
            raise ValueError(NO_RESULTS)
        asset = self.results.asset(query.get("key", ""))
        if asset.path not in [other.path for other in self.assets]:
            self.assets.append(asset)
        return _json(self._asset_entry([other.path for other in self.assets].index(asset.path)))

    def _asset_entry(self, index: int) -> dict[str, Any]:
        asset, original = self.assets[index], self.surfaces.original
        is_original = original is not None and asset.path == original.path
        return {"id": index, "name": asset.path.name, "kind": asset.kind, "original": is_original}

    def _index(self, query: Query) -> int:
        text = query.get("asset", "")
        if not (text.isdecimal() and int(text) < len(self.assets)):
            raise ValueError(f"no asset has the number {text!r}")
        return int(text)

    def _scene(self, query: Query) -> Asset:
        asset = self.assets[self._index(query)]
        if asset.kind != "scene":
            raise ValueError(f"{asset.path.name}: is not a scene")
        return asset

    def _surface_arguments(self, query: Query) -> tuple[int, int, float, bool, Callable[[], None]]:
        index = self._index(query)
        try:
            resolution, level = int(query.get("resolution", "128")), float(query.get("level", "0.5"))
        except ValueError:
            raise ValueError("resolution and level must be numbers") from None
        if not 2 <= resolution <= MAX_RESOLUTION:
            raise ValueError(f"resolution is {resolution}: use 2 to {MAX_RESOLUTION}")
        return index, resolution, level, query.get("quick") == "1", self._supersession_check(query)

    def _supersession_check(self, query: Query) -> Callable[[], None]:
        """Raises Superseded once the same client has sent a newer request."""
        number = query.get("request", "0")
        return self.requests.register(query.get("client", ""), int(number) if number.isdecimal() else 0)


def _json(content: Any) -> Response:
    return JSON, json.dumps(content).encode()


def page_html(embedded: dict[str, str] | None = None) -> str:
    """The page as one file, its style and scripts inlined where page.html names them.

    Args:
        embedded: responses by URL, for a page that has no server.
    """
    folder = Path(__file__).parent / "page"
    html = (folder / "page.html").read_text()
    html = re.sub(r"/\* ([\w.]+\.(?:css|js)) \*/", lambda name: (folder / name[1]).read_text(), html)
    # "</" inside a name would end the script
    return html.replace("/* embedded */ null", json.dumps(embedded).replace("</", "<\\/"))
