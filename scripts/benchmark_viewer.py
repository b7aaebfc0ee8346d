"""Seconds from the command `sinenerf view` to its first picture.

The first picture of a shape is its quick mesh of 128 cells a side; that of a scene has the size that the page requests
while the camera moves.

    python scripts/benchmark_viewer.py --shape dragon.sine --scene scene.sine

CPU seconds are those of the whole command: the wall-clock time on an otherwise idle core.
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
"""Size of the scene's picture: the page's default in a pane of aspect ratio 4:3."""


@dataclass
class Options:
    shape: Path
    """File of an occupancy field."""
    scene: Path
    """File of a radiance field."""
    rounds: int = 3
    """Runs of the command for each file; the fastest counts, since other load only slows it down."""
    output: Path = Path("scripts/results/viewer.json")
    """Result file."""


def main(options: Options) -> None:
    shape = {"bytes": options.shape.stat().st_size, "cells": FIRST_RESOLUTION}
    scene = {"bytes": options.scene.stat().st_size, "pixels": PIXELS}
    result = {
        "shape": shape | fastest(options.shape, request_mesh, options.rounds),
        "scene": scene | fastest(options.scene, request_picture, options.rounds),
    }
    hardware.write_figures(options.output, result)
    print(json.dumps(result, indent=2))


def fastest(path: Path, request: Callable[[str], None], rounds: int) -> dict[str, float]:
    """The timings of the run with the earliest first picture."""
    return min((first_picture(path, request) for _ in range(rounds)), key=lambda seconds: seconds["first_picture"])


def first_picture(path: Path, request: Callable[[str], None]) -> dict[str, float]:
    """Seconds until the page's address and the first picture; for a second request, which takes a shape
    from memory and renders a scene again; and CPU seconds in total."""
    cpu_before, start = _cpu_seconds(), time.perf_counter()
    program = [sys.executable, "-m", "sinenerf", "view", str(path), "--port", "0", "--no-browser"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            address = time.perf_counter() - start
            request(url)
            shown = time.perf_counter() - start
            request(url)
            again = time.perf_counter() - start - shown
        finally:
            process.terminate()
    return {
        "address": round(address, 2),
        "first_picture": round(shown, 2),
        "same_again": round(again, 2),
        "cpu": round(_cpu_seconds() - cpu_before, 2),
    }


def _cpu_seconds() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def request_mesh(url: str) -> None:
    fetch(f"{url}mesh?asset=0&resolution={FIRST_RESOLUTION}&level=0.5&quick=1")


def request_picture(url: str) -> None:
    info = json.loads(fetch(f"{url}scene?asset=0"))
    pose = ",".join(map(str, info["pose"]))
    width, height = PIXELS
    fetch(f"{url}picture?{urlencode({'asset': 0, 'pose': pose, 'tan': info['tan'], 'width': width, 'height': height})}")


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        return response.read()


if __name__ == "__main__":
    main(tyro.cli(Options))
