"""What a figure was measured on: part of every result file."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sinenerf.files import replacing


def describe() -> dict[str, str | int]:
    """Processor, threads, versions, commit and date."""
    import torch

    return {
        "processor": _gpu() or _cpu(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "sinenerf": version("sinenerf"),
        "python": platform.python_version(),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+changes" if _git("status", "--porcelain") else ""),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def write_rows(path: Path, rows: list[dict[str, Any]], name: str = "rows") -> None:
    """Write figures as JSON, one row a line, with what they were measured on."""
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    with replacing(path) as partial:
        partial.write_text(f'{{"hardware": {json.dumps(describe())},\n "{name}": [\n  {lines}]}}\n')


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _cpu() -> str:
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    bfloat16 = "with" if any("avx512_bf16" in line for line in lines) else "without"
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}, {bfloat16} bfloat16"


def _git(*arguments: str) -> str:
    folder = Path(__file__).parent
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False).stdout.strip()
