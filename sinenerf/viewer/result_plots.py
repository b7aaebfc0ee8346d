"""A folder of sweep results for the page: rate-distortion plots, and the file behind each mark."""

from pathlib import Path
from typing import Any, cast

from sinenerf.viewer.assets import Asset

ARTEFACTS = (".sine", ".drc")
"""Files that a sweep may leave beside a result."""


class ResultPlots:
    """The results of one or more datasets, read once; a mean over seeds has its first seed's file.

    Raises:
        FileNotFoundError: the folder does not exist or holds no results.
        ValueError: the results are not comparable, or lack this quality measure.
    """

    def __init__(self, folder: Path, quality: str | None = None) -> None:
        from sinenerf.rd.curves import choose_measure, split_by_dataset
        from sinenerf.rd.plot_page import result_key
        from sinenerf.rd.results import check_comparable, read_results
        from sinenerf.rd.seeds import average_seeds

        results, self.problems = read_results(folder)
        check_comparable(results)
        self.datasets = {part[0].dataset: part for part in split_by_dataset(results, quality)}
        self.measures = {name: choose_measure(part, quality) for name, part in self.datasets.items()}
        self.by_key = {result_key(r): r for r in average_seeds(results) if r.source is not None}

    def plot(self, axis: str, dataset: str | None = None) -> dict[str, Any]:
        """The plot of a dataset (the first by default) as SVG, and a note on each mark by the mark's id.

        Raises:
            ValueError: the axis or dataset does not exist.
        """
        dataset = dataset or next(iter(self.datasets))
        if dataset not in self.datasets:
            raise ValueError(f"no dataset is called {dataset!r}: choose from {', '.join(self.datasets)}")
        from sinenerf.rd.plot import AXES, Axis
        from sinenerf.rd.plot_page import draw_svg, point_details

        if axis not in AXES:
            raise ValueError(f"no axis is called {axis!r}: choose from {', '.join(AXES)}")
        svg, keys = draw_svg(self.datasets[dataset], self.measures[dataset], cast(Axis, axis))
        notes = {
            mark: {**point_details(self.by_key[key]), "key": key, "available": self.artefact(key) is not None}
            for mark, key in keys.items()
        }
        return {"svg": svg, "notes": notes, "datasets": list(self.datasets), "dataset": dataset}

    def artefact(self, key: str) -> Path | None:
        """The file behind a result, if it still exists. Only keys of this folder's results are recognised."""
        result = self.by_key.get(key)
        if result is None or (source := result.source) is None:
            return None
        return next((p for suffix in ARTEFACTS if (p := source.with_suffix(suffix)).is_file()), None)

    def asset(self, key: str) -> Asset:
        """The field or mesh behind a result.

        Raises:
            FileNotFoundError: only its figures are left.
        """
        path = self.artefact(key)
        if path is None:
            raise FileNotFoundError(
                f"{key}: this result's file is missing (a clone of the repository has the figures only). "
                "To make it again, remove its .json and run sinenerf sweep"
            )
        return Asset.identify(path)
