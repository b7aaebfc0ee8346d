"""The machine: which device to train on, and the hardware and versions that a figure was measured on."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sinenerf import __version__
from sinenerf.common.files import replacing


def best_device() -> Literal["cuda", "mps", "cpu"]:
    """CUDA if torch can use a GPU, then Apple's GPU, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@cache
def multiplies_bfloat16(device: str) -> bool:
    """Whether a kind of device ("cuda", "mps", "cpu") multiplies bfloat16 matrices faster than float32 ones."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux: such processors are rare on other systems, and emulation would be several times slower
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


PACKAGE = Path(__file__).parents[1]


def measured_on() -> dict[str, str | int]:
    """Processor, GPU if any, threads, versions, commit and date."""
    import torch

    return {
        "processor": _cpu(),
        **_gpu(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "sinenerf": __version__,
        "python": platform.python_version(),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def write_figures(path: Path, figures: dict[str, Any]) -> None:
    """Write measured figures as JSON with the hardware they were measured on; each item of a list has its own line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for name, value in {"hardware": measured_on(), **figures}.items():
        lines = ",\n  ".join(map(json.dumps, value)) if isinstance(value, list) else ""
        parts.append(f'"{name}": ' + (f"[\n  {lines}]" if isinstance(value, list) else json.dumps(value)))
    with replacing(path) as partial:
        partial.write_text("{" + ",\n ".join(parts) + "}\n")


def _gpu() -> dict[str, str]:
    """Name of the GPU, if any, whether or not the measured code ran on it."""
    import torch

    return {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}


def _cpu() -> str:
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    bfloat16 = "with" if any("avx512_bf16" in line for line in lines) else "without"
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}, {bfloat16} bfloat16"


def _commit() -> str:
    """The package's commit, with "+changes" if the package or the scripts have uncommitted changes, results aside.
    Empty for an installed package, where any surrounding repository is another project's."""
    top = PACKAGE.resolve().parent
    if _git("rev-parse", "--show-toplevel") != top.as_posix():
        return ""
    changes = _git("status", "--porcelain", "--", str(PACKAGE.resolve()), f"{top}/scripts/*.py")
    return _git("rev-parse", "--short", "HEAD") + ("+changes" if changes else "")


def _git(*arguments: str) -> str:
    """Output of a git command; empty where git fails or is not installed."""
    try:
        done = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
