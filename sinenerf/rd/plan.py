"""A plan: scenes, methods, their settings and the training budget, as a TOML file that `sinenerf sweep` runs.

dataset = "shapes"                      # or "photographs"
data = "data/shapes"                    # folder of the scenes, unless --data is given
output = "results"                      # folder of the results, unless --output is given
scenes = ["dragon", "armadillo"]        # unless --scenes is given

[settings]                              # of every method that trains
minutes = 1.0                           # or steps
clock = "processor"                     # minutes of processor time; without this line, of time as it passes

[minutes_by_bytes]                      # in place of minutes: a budget for each size, the same for all methods
2000 = 0.5
4000 = 1.0

[evaluation]                            # of all methods on shapes; these are the defaults
points = 1_000_000
resolution = 256

[[methods]]
name = "sine"                           # of its curve
settings = { layer = "sine" }
points = [{ width = 96, rank = 3 }, { width = 128, rank = 5 }]   # each point ...
grid = { bytes = [2000, 4000] }         # ... with every combination of these

[[methods]]
name = "draco"
program = "draco"
grid = { faces = [500, 1000], bits = [9, 10] }
"""

import itertools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinenerf.rd.programs.registry import DATASETS, PROGRAMS
from sinenerf.rd.results import BUDGETS, Job, Settings

KeyTypes = dict[str, type]
PLAN_KEYS: KeyTypes = {
    "dataset": str,
    "data": str,
    "output": str,
    "scenes": list,
    "settings": dict,
    "minutes_by_bytes": dict,
    "evaluation": dict,
    "methods": list,
}
METHOD_KEYS: KeyTypes = {"name": str, "program": str, "settings": dict, "points": list, "grid": dict}
TYPE_NAMES: dict[type, str] = {str: "text", list: "a list", dict: "a table"}


@dataclass(frozen=True)
class Plan:
    """A plan, checked and expanded into jobs."""

    jobs: list[Job]
    scenes: dict[str, Path]
    """File or folder of each scene."""
    output: Path
    """Folder of the results."""


def read_plan(path: Path, data: Path | None = None, scenes: Sequence[str] = ()) -> Plan:
    """Read a plan and check all its settings.

    Args:
        data: folder of the scenes, in place of the plan's.
        scenes: names of scenes, in place of the plan's.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not TOML, an unknown or missing key, or an impossible setting.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file. Plans are in configs/, such as configs/quick-shapes.toml")
    try:
        content = tomllib.loads(path.read_text())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: is not TOML: {error}") from None
    try:
        _check_keys("the file", content, PLAN_KEYS, {"dataset", "scenes", "methods"})
        _check_types(content, PLAN_KEYS)
        folder = data or Path(content.get("data", "data"))
        return _expand_plan(content, folder, scenes or content["scenes"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _expand_plan(content: dict[str, Any], folder: Path, names: Sequence[str]) -> Plan:
    name = content["dataset"]
    if name not in DATASETS:
        raise ValueError(f"no dataset is called {name!r}: choose {' or '.join(DATASETS)}")
    for scene in names:
        if not isinstance(scene, str):
            raise ValueError(f"scenes holds {scene!r}: each must be text, a scene's name")
    dataset = DATASETS[name]
    scenes = {scene: dataset.find_scene(folder, scene) for scene in names}
    jobs: dict[str, Job] = {}
    for method in content["methods"]:
        if not isinstance(method, dict):
            raise ValueError(f"methods holds {method!r}: each must be a table of its own, [[methods]]")
        for settings, program in _expand_method(method, content, dataset.default_program):
            for scene in scenes:
                job = Job(name, scene, method["name"], program, settings)
                jobs[f"{scene}/{job.key}"] = job  # the same point twice is one job
    # scene by scene, so that labels and photographs are read once
    ordered = sorted(jobs.values(), key=lambda job: list(scenes).index(job.scene))
    return Plan(ordered, scenes, Path(content.get("output", "results")))


def _expand_method(method: dict[str, Any], content: dict[str, Any], default: str) -> list[tuple[Settings, str]]:
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
    trains = PROGRAMS[program].trains
    shared |= content.get("settings", {}) if trains else {}
    expanded = []
    for point in method.get("points", [{}]):
        for values in itertools.product(*grid.values()):
            try:
                given = {**shared, **method.get("settings", {}), **point, **dict(zip(grid, values, strict=True))}
                if trains and "minutes_by_bytes" in content:
                    given["minutes"] = _minutes_for(given, content["minutes_by_bytes"])
                expanded.append((PROGRAMS[program].resolve(given), program))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{where}: {error}") from None
    return expanded


def _minutes_for(given: Settings, minutes_by_bytes: dict[str, Any]) -> Any:
    """The minutes that a plan gives to the size of a point.

    Raises:
        ValueError: the point has no size in the table, or a budget of its own.
    """
    if budget := next((name for name in BUDGETS if name in given), None):
        raise ValueError(f"{budget} is {given[budget]}, but the plan has minutes_by_bytes: leave one of them out")
    size = given.get("bytes")
    if str(size) not in minutes_by_bytes:
        raise ValueError(f"bytes is {size}: minutes_by_bytes has {', '.join(minutes_by_bytes)}")
    return minutes_by_bytes[str(size)]


def _check_types(table: dict[str, Any], types: KeyTypes, where: str = "") -> None:
    for key, kind in types.items():
        if not isinstance(table.get(key, kind()), kind):
            raise ValueError(f"{where}{key} is {table[key]!r}: it must be {TYPE_NAMES[kind]}")


def _check_keys(where: str, table: dict[str, Any], known: KeyTypes, needed: set[str]) -> None:
    for key in table:
        if key not in known:
            raise ValueError(f"{where} has an unknown key {key!r}: there are {', '.join(sorted(known))}")
    for key in sorted(needed - set(table)):
        raise ValueError(f"{where} lacks the key {key!r}")
