"""Jobs of a sweep on a Ray cluster. Scenes reach the workers, and files come back, through Ray: no disk is shared."""

import glob
import hashlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sinenerf import __version__
from sinenerf.common.files import replacing
from sinenerf.rd.programs.registry import PROGRAMS
from sinenerf.rd.results import Job, Result
from sinenerf.rd.sweep import Outcome, outcome_of

RETRIES = 3
"""Times that a job is run again after its worker died."""
PATIENCE = 5.0
"""Seconds in which a cluster has to answer."""


@dataclass(frozen=True)
class Parcel:
    """What a job reads of a scene, as it travels."""

    origin: Path
    """Where the scene lies at the driver's: a file or a folder."""
    files: dict[str, bytes]
    """By path relative to the folder that holds the scene; empty where there is none."""

    @classmethod
    def of(cls, scene: Path, files: list[Path]) -> "Parcel":
        """Read files of a scene."""
        return cls(scene, {str(path.relative_to(scene.parent)): path.read_bytes() for path in files})

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """The scene on this machine, for the while. Its path is the same for each job of a process, so that what is
        kept in memory by that path serves them all."""
        remove_leftovers()
        digest = hashlib.sha256(repr(sorted(self.files.items())).encode()).hexdigest()[:16]
        folder = Path(_scratch(), digest)
        try:
            for name, data in self.files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            yield folder / self.origin.name
        finally:
            shutil.rmtree(_scratch(), ignore_errors=True)


@cache
def _scratch() -> str:
    """The folder of this process's jobs, whose name tells whose it is."""
    return tempfile.mkdtemp(prefix=f"{_prefix()}{os.getpid()}-")


def _prefix() -> str:
    return f"sinenerf-sweep-{socket.gethostname()}-"  # containers may share a folder, but no process numbers


def remove_leftovers() -> None:
    """Remove the folders of this machine's workers that were killed."""
    import psutil  # of the extra: who has neither it nor Ray is told of Ray

    for folder in Path(tempfile.gettempdir()).glob(f"{glob.escape(_prefix())}*"):
        owner = folder.name.removeprefix(_prefix()).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def work(job: Job, parcel: Parcel, version: str) -> dict[str, bytes] | str:
    """On a worker: run a job. Returns the files that it made by name, or why it failed."""
    if version != __version__:
        return (
            f"the worker {socket.gethostname()} has sinenerf {__version__}, the driver {version}: install one version"
        )
    with parcel.unpacked() as scene:
        folder = scene.parent / "results"
        outcome = outcome_of(job, scene, folder)
        if outcome is None:
            return "it was interrupted on its worker"
        if isinstance(outcome, str):  # paths are to be the driver's
            return outcome.replace(str(scene), str(parcel.origin)).replace(f"{folder}/", "")
        made = job.path(folder).parent
        return {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()}


class RayRunner:
    """Runs jobs on the cluster that Ray is connected to: a GPU for each that trains if there are GPUs, else a CPU."""

    def __init__(self) -> None:
        import ray

        resources = ray.cluster_resources()
        self.gpus = int(resources.get("GPU", 0))
        self.slots = max(1, self.gpus or int(resources.get("CPU", 0)))
        self._parcels: dict[tuple[Path, ...], Any] = {}

    def run(self, jobs: list[Job], scenes: Mapping[str, Path], results: Path) -> Iterator[tuple[Job, Outcome]]:
        """All at once; yields as they are done. A job whose worker dies is run again, elsewhere if it must be."""
        import ray

        remote = ray.remote(work)
        running: dict[Any, Job] = {}
        try:
            for job in jobs:
                program = PROGRAMS[job.program]
                gpus = 1 if self.gpus and program.trains else 0
                options = remote.options(num_cpus=1, num_gpus=gpus, max_retries=RETRIES, name=f"{job.scene} {job.key}")
                running[options.remote(job, self._parcel(job, scenes[job.scene]), __version__)] = job
            while running:
                (ready,), _ = ray.wait(list(running), num_returns=1)
                job = running.pop(ready)
                yield job, _receive(ready, job, results)
        except KeyboardInterrupt:
            yield next(iter(running.values()), jobs[-1]), None
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _parcel(self, job: Job, scene: Path) -> Any:
        """A reference to what the job reads, which is put into the cluster once."""
        import ray

        files = PROGRAMS[job.program].files(scene, job.settings) if scene.exists() else []
        key = (scene, *files)
        if key not in self._parcels:
            self._parcels[key] = ray.put(Parcel.of(scene, files))
        return self._parcels[key]


def _receive(reference: Any, job: Job, results: Path) -> Outcome:
    """Write what a worker made; the result file comes last, since with it a job counts as done."""
    import ray

    try:
        answer = ray.get(reference)
    except ray.exceptions.WorkerCrashedError:
        return f"its worker died, {RETRIES + 1} times. Out of memory? Ray's logs say why"
    except ray.exceptions.RayError as error:
        return str(error).strip().splitlines()[-1]
    if isinstance(answer, str):
        return answer
    path = job.path(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        for name in sorted(answer, key=lambda name: name == path.name):
            with replacing(path.with_name(name)) as partial:
                partial.write_bytes(answer[name])
        return Result.read(path)
    except (ValueError, OSError) as error:
        return str(error)


@contextmanager
def connect(address: str) -> Iterator[RayRunner]:
    """A runner on the cluster at an address, HOST:PORT, or on one that is started here for the while ("local").

    Raises:
        ValueError: Ray is not installed, or nobody answers at the address.
    """
    try:
        import ray
    except ImportError:
        raise ValueError("--ray needs Ray: pip install 'sinenerf[ray]'") from None
    if address != "local":
        _check_answers(address)
    logging.getLogger("ray").setLevel(logging.ERROR)
    own: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (RuntimeError, ConnectionError, ValueError) as error:
        raise ValueError(f"--ray {address}: {' '.join(str(error).split())}") from None
    try:
        yield RayRunner()
    finally:
        ray.shutdown()
        remove_leftovers()


def _check_answers(address: str) -> None:
    """Ray itself would try for a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"--ray {address}: is no HOST:PORT. Give a cluster's address, or local")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"--ray {address}: nobody answers there ({reason}). Start a cluster with: ray start --head"
        ) from None
