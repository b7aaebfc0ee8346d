"""A sweep as a file: TOML with scenes, methods, grids of settings and the budget of training.

dataset = "shapes"                      # or "photographs"
data = "data/shapes"                    # folder of the scenes; --data says otherwise
scenes = ["dragon", "armadillo"]

[settings]                              # of every method that trains
minutes = 1.0

[evaluation]                            # of all methods; these are the defaults
points = 1_000_000
resolution = 256

[[methods]]
name = "sine"                           # of its curve
settings = { layer = "sine" }
points = [{ width = 96, rank = 3 }, { width = 128, rank = 5 }]   # one after the other ...
grid = { bytes = [2000, 4000] }         # ... each with every combination of these

[[methods]]
name = "draco"
program = "draco"
grid = { faces = [500, 1000], bits = [9, 10] }
"""

import itertools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinenerf.rd.programs.registry import DATASETS, PROGRAMS
from sinenerf.rd.results import Job, Settings

Kinds = dict[str, type]
KEYS: Kinds = {"dataset": str, "data": str, "scenes": list, "settings": dict, "evaluation": dict, "methods": list}
METHOD_KEYS: Kinds = {"name": str, "program": str, "settings": dict, "points": list, "grid": dict}
WORDS: dict[type, str] = {str: "text", list: "a list", dict: "a table"}


@dataclass(frozen=True)
class Plan:
    """A sweep, checked and spelled out."""

    jobs: list[Job]
    scenes: dict[str, Path]
    """Where each scene lies."""


def read_plan(path: Path, data: Path | None = None) -> Plan:
    """Read a sweep's file. Impossible settings are found here, before anything runs.

    Args:
        data: folder of the scenes, in place of the file's own.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not TOML, an unknown or missing key, or an impossible setting.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file. Sweeps lie in configs/, such as configs/quick-shapes.toml")
    try:
        content = tomllib.loads(path.read_text())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: is not TOML: {error}") from None
    try:
        return _plan(content, data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _plan(content: dict[str, Any], data: Path | None) -> Plan:
    _check_keys("the file", content, KEYS, {"dataset", "scenes", "methods"})
    _check_types(content, KEYS)
    name = content["dataset"]
    if name not in DATASETS:
        raise ValueError(f"no dataset is called {name!r}: choose {' or '.join(DATASETS)}")
    for scene in content["scenes"]:
        if not isinstance(scene, str):
            raise ValueError(f"scenes holds {scene!r}: each must be text, a scene's name")
    dataset, folder = DATASETS[name], data or Path(content.get("data", "data"))
    scenes = {scene: dataset.place(folder, scene) for scene in content["scenes"]}
    jobs: dict[str, Job] = {}
    for method in content["methods"]:
        if not isinstance(method, dict):
            raise ValueError(f"methods holds {method!r}: each must be a table of its own, [[methods]]")
        for settings, program in _expand(method, content, dataset.program):
            for scene in scenes:
                job = Job(name, scene, method["name"], program, settings)
                jobs[f"{scene}/{job.key}"] = job  # the same point twice is one job
    # scene by scene, so that labels and photographs are read once
    return Plan(sorted(jobs.values(), key=lambda job: list(scenes).index(job.scene)), scenes)


def _expand(method: dict[str, Any], content: dict[str, Any], default: str) -> list[tuple[Settings, str]]:
    """(settings, program) of each point of a method."""
    where = f"method {method.get('name', '?')!r}"
    _check_keys(where, method, METHOD_KEYS, {"name"})
    _check_types(method, METHOD_KEYS, f"{where}: ")
    program = method.get("program", default)
    if program not in PROGRAMS:
        raise ValueError(f"{where}: no program is called {program!r}: choose {', '.join(PROGRAMS)}")
    grid = method.get("grid", {})
    _check_types(grid, dict.fromkeys(grid, list), f"{where}: grid's ")
    evaluation = content.get("evaluation", {})
    shared: Settings = {f"eval_{name}": value for name, value in evaluation.items()}
    shared |= content.get("settings", {}) if PROGRAMS[program].trains else {}
    expanded = []
    for point in method.get("points", [{}]):
        for values in itertools.product(*grid.values()):
            try:
                given = {**shared, **method.get("settings", {}), **point, **dict(zip(grid, values, strict=True))}
                expanded.append((PROGRAMS[program].resolve(given), program))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{where}: {error}") from None
    return expanded


def _check_types(table: dict[str, Any], kinds: Kinds, where: str = "") -> None:
    for key, kind in kinds.items():
        if not isinstance(table.get(key, kind()), kind):
            raise ValueError(f"{where}{key} is {table[key]!r}: it must be {WORDS[kind]}")


def _check_keys(where: str, table: dict[str, Any], known: Kinds, needed: set[str]) -> None:
    for key in table:
        if key not in known:
            raise ValueError(f"{where} has an unknown key {key!r}: there are {', '.join(sorted(known))}")
    for key in sorted(needed - set(table)):
        raise ValueError(f"{where} lacks the key {key!r}")
