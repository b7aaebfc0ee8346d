"""The `sinenerf` command: each subcommand is one call of the Python API. Heavy libraries load only when it runs."""

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

try:
    import tyro
except ModuleNotFoundError:  # after pip install --no-deps
    sys.exit("sinenerf: needs tyro, which is not installed. Install what it needs: pip install . in sinenerf's folder")

from sinenerf.cli import (
    capturing,
    datasets,
    doctor,
    meshes,
    photographs,
    plots,
    point_clouds,
    sine_files,
    spectra,
    sweeps,
    viewing,
)

COMMANDS: dict[str, Callable[..., Any]] = {
    "capture": capturing.capture,
    "scene": photographs.scene,
    "export-mesh": meshes.mesh,
    "fit": meshes.fit,
    "mesh": meshes.mesh,
    "eval": sine_files.evaluate,
    "compress": sine_files.compress,
    "info": sine_files.info,
    "render": photographs.render,
    "points": point_clouds.points,
    "splats": point_clouds.splats,
    "sweep": sweeps.sweep,
    "plot": plots.plot,
    "bd": plots.bd,
    "find": sweeps.find,
    "spectrum": spectra.spectrum,
    "view": viewing.view,
    "snapshot": viewing.snapshot,
    "make-shape": datasets.make_shape,
    "make-scene": datasets.make_scene,
    "download": datasets.download,
    "doctor": doctor.doctor,
}

DESCRIPTION = """Compact 3D scenes from sine-activated low-rank networks: W = sin(omega U V^T) / g.

A first try: sinenerf make-scene data/demo, then sinenerf scene data/demo --output demo.sine. In place of data/demo give
photographs or a film of your own.

A mesh: sinenerf make-shape knot.ply (or a mesh of your own), sinenerf fit knot.ply --output knot.sine, then sinenerf
mesh knot.sine --output knot.glb and sinenerf eval knot.sine knot.ply.

Photographs: sinenerf capture PHOTOGRAPHS --output SCENE, ns-train sine-nerf-small --data SCENE, sinenerf compress RUN
--output scene.sine, then sinenerf eval scene.sine SCENE, sinenerf render scene.sine --output film.mp4 and sinenerf mesh
RUN --output scene.glb.

Any of these files can be viewed by sinenerf view FILE."""


def main() -> None:
    """Entry point. Errors in the input end with one line on standard error and exit code 1."""
    _share_cores()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be Unicode
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # nobody reads what is printed any more, as in `sinenerf sweep PLAN --dry-run | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        sys.exit(128 + signal.SIGPIPE)


def _share_cores() -> None:
    """Let idle threads sleep sooner than by default, unless the user's environment says how they wait. GNU's library
    reads the setting as it is loaded, with torch.

    After each operation torch's threads spin for milliseconds, waiting for the next one. Where another program wants
    their cores, threads that have work wait for those that spin: on two cores a fit took 1.7 times as long.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _run() -> None:
    try:
        tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="sinenerf", description=DESCRIPTION)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, RuntimeError, ArithmeticError) as error:
        sys.exit(f"sinenerf: {error}")
    except ModuleNotFoundError as error:
        sys.exit(f"sinenerf: needs {error.name}, which is not installed. sinenerf doctor lists what is missing")
    except MemoryError as error:
        sys.exit(f"sinenerf: not enough memory ({error}). Try a smaller --resolution or size")
    except KeyboardInterrupt:
        sys.exit(130)
