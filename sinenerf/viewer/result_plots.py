"""A folder of results for the page: rate-distortion plots, and from each mark to the field behind it."""

from pathlib import Path
from typing import Any

from sinenerf.viewer.assets import Item

ARTEFACTS = (".sine", ".drc")
"""What a sweep leaves beside a result."""
AXES = ("bytes", "parameters", "seconds")


class Results:
    """The results of one dataset or more, read once.

    Raises:
        FileNotFoundError: no folder, or no results in it.
        ValueError: they are not comparable, or have no such quality.
    """

    def __init__(self, folder: Path, quality: str | None = None) -> None:
        from sinenerf.rd.curves import by_dataset, measure_of
        from sinenerf.rd.plot_page import key_of
        from sinenerf.rd.results import check_comparable, read_results

        results, self.problems = read_results(folder)
        check_comparable(results)
        self.datasets = {part[0].dataset: part for part in by_dataset(results, quality)}
        self.measures = {name: measure_of(part, quality) for name, part in self.datasets.items()}
        self.by_key = {key_of(r): r for r in results if r.source is not None}

    def plot(self, axis: str, dataset: str | None = None) -> dict[str, Any]:
        """A dataset's plot as SVG, and by the ids of its marks what is known of each; by default the first one's.

        Raises:
            ValueError: no such axis or dataset.
        """
        dataset = dataset or next(iter(self.datasets))
        if dataset not in self.datasets:
            raise ValueError(f"no dataset is called {dataset!r}: there are {', '.join(self.datasets)}")
        if axis not in AXES:
            raise ValueError(f"no axis is called {axis!r}: there are {', '.join(AXES)}")
        from sinenerf.rd.plot_page import drawing, note_of

        svg, keys = drawing(self.datasets[dataset], self.measures[dataset], axis)  # type: ignore[arg-type]
        notes = {
            mark: {**note_of(self.by_key[key]), "key": key, "open": self.artefact(key) is not None}
            for mark, key in keys.items()
        }
        return {"svg": svg, "notes": notes, "datasets": list(self.datasets), "dataset": dataset}

    def artefact(self, key: str) -> Path | None:
        """The file behind a result, if it is still there. Only keys of this folder's own results are known."""
        result = self.by_key.get(key)
        if result is None or (source := result.source) is None:
            return None
        return next((p for suffix in ARTEFACTS if (p := source.with_suffix(suffix)).is_file()), None)

    def item(self, key: str) -> Item:
        """The field or mesh behind a result.

        Raises:
            FileNotFoundError: only the figures are there.
        """
        path = self.artefact(key)
        if path is None:
            raise FileNotFoundError(
                f"{key}: the file behind this result is not here (a clone has the figures only). "
                "To make it again, remove its .json and run sinenerf sweep"
            )
        return Item.of(path)
