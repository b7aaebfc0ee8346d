"""Run an experiment of the paper that is trained by a script of this folder: every combination of a plan's grid.

    python scripts/run_plan.py configs/paper/vit-base.toml --set data=path/to/imagenet
    python scripts/run_plan.py configs/paper/lora.toml --set model=path/to/llama data=path/to/dataset --only rank=8

A plan's `commands` are argument lists with {names}: those of its `grid`, of its `values`, which --set replaces or adds,
and {run}, the run's own folder. A run with its `result` file is left out, and the scripts resume from their
checkpoints, so that the same command goes on after Ctrl-C or a crash. Sweeps (`sinenerf sweep`) are other plans.
"""

import itertools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

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
    name: str
    result: Path
    commands: list[list[str]]


def read_runs(options: Options) -> list[Run]:
    """All runs of a plan.

    Raises:
        OSError: the plan does not exist.
        ValueError: it is not a plan, a name has no value, or an option is not NAME=VALUE.
    """
    try:
        plan = tomllib.loads(options.plan.read_text())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{options.plan}: is not TOML: {error}") from None
    if missing := KEYS - set(plan):
        raise ValueError(f"{options.plan}: lacks the key {sorted(missing)[0]!r}: a sweep's plan runs by sinenerf sweep")
    values = {name: str(value) for name, value in plan["values"].items()} | _pairs("--set", options.set)
    only = _pairs("--only", options.only)
    if unknown := set(only) - set(plan["grid"]):
        raise ValueError(f"--only {sorted(unknown)[0]}: the grid has {', '.join(plan['grid'])}")
    points = [dict(zip(plan["grid"], point, strict=True)) for point in itertools.product(*plan["grid"].values())]
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
    folder = (options.output or Path(plan["output"])) / name
    values = values | {"run": str(folder)}

    def filled(text: str) -> str:
        if missing := [key for key in NAME.findall(text) if key not in values]:
            raise ValueError(f"{options.plan}: needs a value: --set {missing[0]}=...")
        return NAME.sub(lambda found: values[found[1]], text)

    commands = [[filled(text) for text in command] for command in plan["commands"]]
    return Run(name, folder / plan["result"], commands)


def main(options: Options) -> int:
    """Run what is missing, and print a line for each result. Returns the exit code of the first command that fails."""
    for run in read_runs(options):
        if not run.result.is_file():
            for script, *arguments in run.commands:
                print(f"{run.name}: {script} {' '.join(arguments)}", flush=True)
                if options.dry_run:
                    continue
                code = subprocess.run([sys.executable, str(SCRIPTS / script), *arguments], check=False).returncode
                if code:
                    return code
        if run.result.is_file():
            print(f"{run.name}: {json.dumps(json.loads(run.result.read_text()))}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(tyro.cli(Options)))
    except (ValueError, OSError) as error:
        sys.exit(f"run_plan: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
