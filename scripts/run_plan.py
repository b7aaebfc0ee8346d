"""Run an experiment of the paper that is trained by a script of this folder: every combination of a plan's grid.

    python scripts/run_plan.py configs/paper/vit-base.toml --set data=path/to/imagenet
    python scripts/run_plan.py configs/paper/lora.toml --set model=path/to/llama data=path/to/dataset --only rank=8

A plan's `commands` are argument lists with {names}: those of its `grid`, of its `values`, which --set replaces or adds,
and {run}, the run's own folder. `finished.json` there keeps the commands that have ended: they are not run again, and
the scripts resume from their checkpoints, so that the same command goes on after Ctrl-C or a crash. Sweeps (`sinenerf
sweep`) are other plans.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, zip_longest
from pathlib import Path
from typing import Any

import tyro

from sinenerf.common.files import replacing

SCRIPTS = Path(__file__).parent
KEYS = {"output", "result", "values", "grid", "commands"}
NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Options:
    plan: tyro.conf.Positional[Path]
    """A plan of configs/paper whose first lines name this script."""
    set: tuple[str, ...] = ()
    """NAME=VALUE of a plan's values, or of one that it leaves open, such as data."""
    only: tuple[str, ...] = ()
    """NAME=VALUE of the grid: leave the other runs out."""
    output: Path | None = None
    """Folder of the results, in place of the plan's."""
    dry_run: bool = False
    """Only print the commands of the missing runs."""


@dataclass(frozen=True)
class Run:
    folder: Path
    result: str
    """Name of the file, in the folder, that is printed at the end."""
    commands: list[list[str]]
    """Scripts with their arguments. {run} is left as it is, so that the folder may be moved."""

    def finished(self) -> int:
        """The number of commands that have ended.

        Raises:
            ValueError: they were others than today's.
        """
        path = self.folder / "finished.json"
        ended = json.loads(path.read_text()) if path.is_file() else []
        for before, now in zip(ended, self.commands, strict=False):
            for old, new in zip_longest(before, now):
                if old != new:
                    raise ValueError(
                        f"{self.folder}: was run with {old!r}, where the plan has {new!r}: "
                        "give the same --set, or another --output"
                    )
        return len(ended)

    def mark_finished(self, count: int) -> None:
        """Note that the first `count` commands have ended."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.folder / "finished.json") as partial:
            partial.write_text(json.dumps(self.commands[:count], indent=2) + "\n")


def read_runs(options: Options) -> list[Run]:
    """All runs of a plan.

    Raises:
        OSError: the plan does not exist.
        ValueError: it is not a plan, a name has no value, or an option is not NAME=VALUE of a name that the plan has.
    """
    try:
        plan = tomllib.loads(options.plan.read_text())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{options.plan}: is not TOML: {error}") from None
    if missing := KEYS - set(plan):
        raise ValueError(f"{options.plan}: lacks the key {sorted(missing)[0]!r}: a sweep's plan runs by sinenerf sweep")
    given = _pairs("--set", options.set)
    names = {name for command in plan["commands"] for text in command for name in NAME.findall(text)}
    settable = sorted(names - set(plan["grid"]) - {"run"})
    if unknown := set(given) - set(settable):
        raise ValueError(f"--set {sorted(unknown)[0]}: the plan has {', '.join(settable)}")
    values = {name: str(value) for name, value in plan["values"].items()} | given
    only = _pairs("--only", options.only)
    if unknown := set(only) - set(plan["grid"]):
        raise ValueError(f"--only {sorted(unknown)[0]}: the grid has {', '.join(plan['grid'])}")
    points = [dict(zip(plan["grid"], point, strict=True)) for point in product(*plan["grid"].values())]
    chosen = [p for p in [*points, *plan.get("more", [])] if all(str(p.get(n)) == v for n, v in only.items())]
    if not chosen:
        raise ValueError(f"--only {' '.join(options.only)}: no run of the plan has these values")
    return [_run(plan, values | {n: str(v) for n, v in p.items()}, p, options) for p in chosen]


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    if wrong := [text for text in given if "=" not in text]:
        raise ValueError(f"{option} {wrong[0]}: must be NAME=VALUE")
    return dict(text.split("=", 1) for text in given)


def _run(plan: dict[str, Any], values: dict[str, str], point: dict[str, Any], options: Options) -> Run:
    name = "-".join(f"{key}-{value}" for key, value in point.items())
    values = values | {"run": "{run}"}

    def filled(text: str) -> str:
        if missing := [key for key in NAME.findall(text) if key not in values]:
            raise ValueError(f"{options.plan}: needs a value: --set {missing[0]}=...")
        return NAME.sub(lambda found: values[found[1]], text)

    commands = [[filled(text) for text in command] for command in plan["commands"]]
    return Run((options.output or Path(plan["output"])) / name, plan["result"], commands)


def main(options: Options) -> int:
    """Run what is missing, and print a line for each result. Returns the exit code of the first command that fails."""
    runs = read_runs(options)
    for run, ended in [(run, run.finished()) for run in runs]:
        for index, command in enumerate(run.commands[ended:], ended):
            script, *arguments = [text.replace("{run}", str(run.folder)) for text in command]
            print(f"{run.folder.name}: {script} {' '.join(arguments)}", flush=True)
            if options.dry_run:
                continue
            code = subprocess.run([sys.executable, str(SCRIPTS / script), *arguments], check=False).returncode
            if code:
                return code
            run.mark_finished(index + 1)
        if run.finished() == len(run.commands):
            scores = json.loads((run.folder / run.result).read_text())
            print(f"{run.folder.name}: {json.dumps(scores)}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(tyro.cli(Options)))
    except (ValueError, OSError) as error:
        sys.exit(f"run_plan: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
