"""Commands that are killed halfway, and then run again."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile

import torch
from support.commands import ENVIRONMENT


def saving_often(*arguments, every: float) -> list[str]:
    """`sinenerf` with these arguments, whose trainings of scenes save a checkpoint every so many seconds."""
    program = f"import sinenerf.plugin.budgeted_training as b; b.SAVE_EVERY = {every}; "
    return [sys.executable, "-c", f"{program}from sinenerf.cli import main; main()", *map(str, arguments)]


def stop_when(
    ready: Callable[[], bool], command: Sequence, *, sent=signal.SIGKILL, delay=0.0, timeout=240
) -> subprocess.CompletedProcess[str]:
    """Start a command and send it a signal `delay` seconds after `ready` first holds; its return code and messages."""
    words = list(map(str, command))
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=errors) as process,
    ):
        try:
            deadline = time.monotonic() + timeout
            while not ready():
                assert process.poll() is None and time.monotonic() < deadline, f"{words} was never ready to be stopped"
                time.sleep(0.05)
            time.sleep(delay)
            process.send_signal(sent)
            process.wait(timeout)
        finally:
            process.kill()
        errors.seek(0)
        return subprocess.CompletedProcess(words, process.returncode, None, errors.read())


def kill_and_run_again(command: Sequence, checkpoint: Path) -> None:
    """Kill -9 a command as soon as its checkpoint exists; the second run must say that it resumes from that step."""
    stop_when(checkpoint.exists, command)
    step = torch.load(checkpoint, weights_only=True)["step"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0 and f"resuming from step {step}\n" in done.stderr, done.stderr
