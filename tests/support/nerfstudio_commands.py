"""Commands of the environment, in a process of their own or in this one, on tiny networks."""

import os
import subprocess
import sys
from pathlib import Path

from support.http_answers import here

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb", "COLUMNS": "200"}
TINY = [
    "--pipeline.model.width=16",
    "--pipeline.model.depth=3",
    "--pipeline.model.rank=4",
    "--pipeline.model.coarse-samples=12",
    "--pipeline.model.fine-samples=10",
    "--pipeline.datamanager.train-num-rays-per-batch=128",
    "--vis=tensorboard",
    "--machine.device-type=cpu",
]


def run(*command, ok=True, cwd=None, **options):
    """Run a command of the environment; returns its output, standard error included."""
    command = [str(BIN / command[0]), *map(str, command[1:])]
    done = subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, timeout=600, check=False, **options
    )
    output = done.stdout + done.stderr
    assert (done.returncode == 0) == ok, f"{' '.join(command)}\n{output[-4000:]}"
    return output


def run_here(*command, ok=True):
    """The same in this process: every command of nerfstudio's is once started as a user does, which takes seconds."""
    done = here(*command)
    output = done.stdout + done.stderr
    assert (done.returncode == 0) == ok, f"{' '.join(map(str, command))}\n{output[-4000:]}"
    return output


def train_command(scene, folder, *options, method="sine-nerf-small", steps=150):
    return [
        "ns-train",
        method,
        *TINY,
        f"--max-num-iterations={steps}",
        f"--output-dir={folder}",
        "--timestamp=run",
        *options,
        f"--data={scene}",
        "llff-data",
        "--downscale-factor=1",
    ]
