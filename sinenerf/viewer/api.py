"""All that the page can ask for, by path: what the server sends, and what an exported page brings along."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from sinenerf.viewer.assets import Item, Up
from sinenerf.viewer.jobs import Jobs, Turns
from sinenerf.viewer.surfaces import Shapes

if TYPE_CHECKING:
    from sinenerf.viewer.result_plots import Results

Query = dict[str, str]
BINARY, JPEG, JSON = "application/octet-stream", "image/jpeg", "application/json"
SCRIPTS = ["three.min.js", "source.js", "stage.js", "panel.js"]
SCRIPTS += ["shapes.js", "scenes.js", "inside.js", "plot.js", "main.js"]
FINEST = 1024
"""Bound on the cells a side that a page may ask for."""


class Answers:
    """What is looked at, and the answers to a page's questions about it. Several threads may ask at once.

    Args:
        items: shapes, or scenes; empty where a folder of results is shown.
        original: the mesh that shapes are compared with.
        results: of a sweep, whose fields are opened on demand.
    """

    def __init__(
        self, items: list[Item], original: Item | None = None, results: "Results | None" = None, up: Up = "y"
    ) -> None:
        self.items, self.results, self.up = items, results, up
        self.jobs, self.turns = Jobs(), Turns()
        self.shapes = Shapes(items, original, self.jobs)
        self.routes: dict[str, Callable[[Query], tuple[str, bytes]]] = {
            "/state": self.state,
            "/jobs": self.running,
            "/mesh": self.mesh,
            "/distance": self.distance,
            "/quality": self.quality,
            "/inside": self.inside,
            "/scene": self.scene,
            "/picture": self.picture,
            "/plot": self.plot,
            "/open": self.open,
        }

    def state(self, query: Query) -> tuple[str, bytes]:
        """What the page is about."""
        return _json(
            {
                "items": [self._named(index) for index in range(len(self.items))],
                "original": self.shapes.original is not None,
                "results": self.results is not None,
                "up": self.up,
                "ups": get_args(Up),
            }
        )

    def running(self, query: Query) -> tuple[str, bytes]:
        """The jobs that run now, a line each."""
        return _json(self.jobs.lines())

    def mesh(self, query: Query) -> tuple[str, bytes]:
        """A shape's surface."""
        return BINARY, self.shapes.mesh_packet(*self._surface(query))

    def distance(self, query: Query) -> tuple[str, bytes]:
        """Distances of the same surface's vertices to the original."""
        return BINARY, self.shapes.distance_packet(*self._surface(query))

    def quality(self, query: Query) -> tuple[str, bytes]:
        """How near a shape is to the original."""
        return _json(self.shapes.quality(self._index(query)))

    def inside(self, query: Query) -> tuple[str, bytes]:
        """The layers of a field's network."""
        item = self.items[self._index(query)]
        if item.kind == "mesh":
            return _json([])
        from sinenerf.viewer.layer_inspection import inside

        with self.jobs.job(f"{item.path.name}: singular values"):
            return _json(inside(item.path, item.load().field))

    def scene(self, query: Query) -> tuple[str, bytes]:
        """Where the camera of a scene starts, and its label."""
        from sinenerf.viewer.scene_pictures import scene_of

        return _json(scene_of(self._scene(query)))

    def picture(self, query: Query) -> tuple[str, bytes]:
        """A scene from the page's camera."""
        from sinenerf.viewer.scene_pictures import Look, picture_bytes

        return JPEG, picture_bytes(self._scene(query), Look.parse(query), self._check(query))

    def plot(self, query: Query) -> tuple[str, bytes]:
        """The rate-distortion plot."""
        if self.results is None:
            raise ValueError("there is no folder of results here")
        with self.jobs.job("drawing the plot"):
            return _json(self.results.plot(query.get("axis", "bytes"), query.get("dataset")))

    def open(self, query: Query) -> tuple[str, bytes]:
        """The item behind a mark of the plot."""
        if self.results is None:
            raise ValueError("there is no folder of results here")
        item = self.results.item(query.get("key", ""))
        known = [other.path for other in self.items]
        if item.path not in known:
            self.items.append(item)
        return _json(self._named([other.path for other in self.items].index(item.path)))

    def _named(self, index: int) -> dict[str, Any]:
        item = self.items[index]
        original = self.shapes.original
        is_original = original is not None and item.path == original.path
        return {"id": index, "name": item.path.name, "kind": item.kind, "original": is_original}

    def _index(self, query: Query) -> int:
        text = query.get("item", "")
        if not (text.isdecimal() and int(text) < len(self.items)):
            raise ValueError(f"no item has the number {text!r}")
        return int(text)

    def _scene(self, query: Query) -> Item:
        item = self.items[self._index(query)]
        if item.kind != "scene":
            raise ValueError(f"{item.path.name}: is no scene")
        return item

    def _surface(self, query: Query) -> tuple[int, int, float, bool, Callable[[], None]]:
        index = self._index(query)
        try:
            resolution, level = int(query.get("resolution", "128")), float(query.get("level", "0.5"))
        except ValueError:
            raise ValueError("resolution and level are numbers") from None
        if not 2 <= resolution <= FINEST:
            raise ValueError(f"resolution is {resolution}: use 2 to {FINEST}")
        return index, resolution, level, query.get("quick") == "1", self._check(query)

    def _check(self, query: Query) -> Callable[[], None]:
        """Raises Stale as soon as the same page wants something newer of the same kind."""
        turn = query.get("turn", "0")
        return self.turns.take(query.get("asker", ""), int(turn) if turn.isdecimal() else 0)


def _json(content: Any) -> tuple[str, bytes]:
    return JSON, json.dumps(content).encode()


def page(embedded: dict[str, str] | None = None) -> str:
    """The page in one file: style, three.js and scripts inside; with all answers too where there will be no server."""
    folder = Path(__file__).parent / "page"
    html = (folder / "page.html").read_text()
    parts = {"/* style */": (folder / "style.css").read_text()}
    for name in SCRIPTS:
        parts[f"/* {name} */"] = (folder / name).read_text()
    # "</" would end the script within a name
    parts["/* embedded */ null"] = json.dumps(embedded).replace("</", "<\\/")
    for mark, text in parts.items():
        html = html.replace(mark, text)
    return html
