"""The `sinenerf` command: each subcommand is one call of the Python API. Heavy libraries load only when one runs."""

import sys
from collections.abc import Callable
from typing import Any

import tyro

from sinenerf.cli import datasets, meshes, photographs, sine_files, sweeps, viewing


def doctor() -> None:
    """Check this machine: Python packages, system libraries, GPU, video. Says what is missing and how to install it."""
    from sinenerf.cli.doctor import report

    sys.exit(report())


COMMANDS: dict[str, Callable[..., Any]] = {
    "demo": photographs.demo,
    "export-mesh": photographs.export_mesh,
    "fit": meshes.fit,
    "mesh": meshes.mesh,
    "eval": sine_files.evaluate,
    "compress": sine_files.compress,
    "info": sine_files.info,
    "render": photographs.render,
    "sweep": sweeps.sweep,
    "plot": sweeps.plot,
    "bd": sweeps.bd,
    "find": sweeps.find,
    "spectrum": sweeps.spectrum,
    "view": viewing.view,
    "snapshot": viewing.snapshot,
    "make-shape": datasets.make_shape,
    "make-scene": datasets.make_scene,
    "download": datasets.download,
    "doctor": doctor,
}

DESCRIPTION = """Compact 3D scenes from sine-activated low-rank networks: W = sin(omega U V^T) / g.

First steps: sinenerf demo. With photographs of your own: ns-train sine-nerf-small --data SCENE, then ns-viewer or
sinenerf export-mesh RUN --output scene.glb. As a file: sinenerf compress RUN --output scene.sine, then sinenerf
eval scene.sine SCENE and sinenerf view scene.sine. With a mesh: sinenerf fit MESH --output shape.sine, then sinenerf
mesh shape.sine --output shape.glb and sinenerf eval shape.sine MESH."""


def main() -> None:
    """Entry point. Bad input ends with one line on standard error and exit code 1."""
    try:
        tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="sinenerf", description=DESCRIPTION)
    except (ValueError, OSError, RuntimeError, ArithmeticError) as error:
        sys.exit(f"sinenerf: {error}")
    except MemoryError as error:
        sys.exit(f"sinenerf: not enough memory ({error}). A smaller --resolution or size may do")
    except KeyboardInterrupt:
        sys.exit(130)
