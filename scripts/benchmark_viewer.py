"""Seconds from the command `sinenerf view` to its first picture: the quick mesh of a shape, 128 cells a side, and a
scene's picture of as many pixels as the page asks for while the camera moves.

    python scripts/benchmark_viewer.py --shape dragon.sine --scene scene.sine

CPU seconds are those of the whole command: what the wall clock would say on a core that nobody else uses.
"""

import json
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import tyro

from sinenerf.common import hardware
from sinenerf.viewer.launch import FIRST_RESOLUTION

PIXELS = (96, 72)
"""Of the scene: the page's own, in a pane of 4 to 3."""


@dataclass
class Options:
    shape: Path
    """Occupancy field."""
    scene: Path
    """Radiance field."""
    rounds: int = 3
    """Starts of the command for each; the fastest counts, since whatever else runs only slows it down."""
    output: Path = Path("scripts/results/viewer.json")
    """Result file."""


def main(options: Options) -> None:
    shape = {"bytes": options.shape.stat().st_size, "cells": FIRST_RESOLUTION}
    scene = {"bytes": options.scene.stat().st_size, "pixels": PIXELS}
    result = {
        "shape": shape | fastest(options.shape, mesh, options.rounds),
        "scene": scene | fastest(options.scene, picture, options.rounds),
        "hardware": hardware.measured_on(),
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def fastest(path: Path, ask: Callable[[str], None], rounds: int) -> dict[str, float]:
    """Of several starts, the one whose first picture came first."""
    return min((first_picture(path, ask) for _ in range(rounds)), key=lambda seconds: seconds["first_picture"])


def first_picture(path: Path, ask: Callable[[str], None]) -> dict[str, float]:
    """Seconds from the command to the page's address and to the first picture; of the running program when it is asked
    once more, which takes a shape from memory and renders a scene anew; and CPU seconds of all that."""
    spent, start = _cpu_seconds(), time.perf_counter()
    program = [sys.executable, "-m", "sinenerf", "view", str(path), "--port", "0", "--no-browser"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().split()[1]
            address = time.perf_counter() - start
            ask(url)
            seen = time.perf_counter() - start
            ask(url)
            again = time.perf_counter() - start - seen
        finally:
            running.terminate()
    return {
        "address": round(address, 2),
        "first_picture": round(seen, 2),
        "same_again": round(again, 2),
        "cpu": round(_cpu_seconds() - spent, 2),
    }


def _cpu_seconds() -> float:
    """Of the programs that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def mesh(url: str) -> None:
    fetch(f"{url}mesh?item=0&resolution={FIRST_RESOLUTION}&level=0.5&quick=1")


def picture(url: str) -> None:
    home = json.loads(fetch(f"{url}scene?item=0"))
    pose = ",".join(map(str, home["pose"]))
    width, height = PIXELS
    fetch(f"{url}picture?{urlencode({'item': 0, 'pose': pose, 'tan': home['tan'], 'width': width, 'height': height})}")


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return answer.read()


if __name__ == "__main__":
    main(tyro.cli(Options))
