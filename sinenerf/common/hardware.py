"""The machine: which device to train on, and what a figure was measured on."""

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
    """CUDA where there is a GPU that torch can use, then Apple's, else the CPU."""
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
    except OSError:  # not Linux: such processors are rare there, and emulation would be several times slower
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


PACKAGE = Path(__file__).parents[1]


def measured_on() -> dict[str, str | int]:
    """Processor, GPU if there is one, threads, versions, commit and date."""
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


def write_rows(path: Path, rows: list[dict[str, Any]], name: str = "rows") -> None:
    """Write figures as JSON, one row a line, with what they were measured on."""
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    with replacing(path) as partial:
        partial.write_text(f'{{"hardware": {json.dumps(measured_on())},\n "{name}": [\n  {lines}]}}\n')


def _gpu() -> dict[str, str]:
    """Which one there is: not all that is measured runs on it."""
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
    """The package's, and whether it or the scripts were changed since: a sweep's own results are no changes. Nothing
    where the package is installed: the tree around it is another project's."""
    top = PACKAGE.resolve().parent
    if _git("rev-parse", "--show-toplevel") != top.as_posix():
        return ""
    changes = _git("status", "--porcelain", "--", str(PACKAGE.resolve()), f"{top}/scripts/*.py")
    return _git("rev-parse", "--short", "HEAD") + ("+changes" if changes else "")


def _git(*arguments: str) -> str:
    """What git prints; nothing where it fails or is not there."""
    try:
        made = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return made.stdout.strip()
