"""Killing a command once it has kept a checkpoint, and running it again."""

import signal
import subprocess
import time
from pathlib import Path

import torch


def kill_and_run_again(line: list[str], kept: Path) -> None:
    """Kill -9 a command as soon as its checkpoint is there; the second run says that it goes on from that step."""
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not kept.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    step = torch.load(kept, weights_only=True)["step"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0 and f"going on from step {step}\n" in done.stderr, done.stderr
