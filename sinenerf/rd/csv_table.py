"""Results as a table that other programs read."""

import csv
from pathlib import Path

from sinenerf.common.files import replacing
from sinenerf.rd.results import Result


def save_table(results: list[Result], path: Path) -> None:
    """Every result in a line of CSV. A setting with the name of what is measured, such as bytes, is NAME_setting."""
    qualities = sorted({name for r in results for name in r.quality})
    settings = sorted({name for r in results for name in r.settings})
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        measured = ["scene", "method", "bytes", "parameters", "seconds", *qualities]
        names = [f"{name}_setting" if name in measured else name for name in settings]
        writer.writerow([*measured, *names, "source"])
        for r in sorted(results, key=lambda r: (r.scene, r.method, r.size)):
            values = [*map(r.quality.get, qualities), *map(r.settings.get, settings)]
            source = "" if r.source is None else r.source.name
            writer.writerow([r.scene, r.method, r.size, r.parameters, r.seconds, *values, source])
