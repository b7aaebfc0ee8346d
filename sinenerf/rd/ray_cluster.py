"""Running jobs on a Ray cluster. Scenes travel to the workers and files come back through Ray: no disk is shared."""

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
from sinenerf.rd.sweep import Outcome, try_job

RETRIES = 3
"""Times that a job is run again after its worker died."""
CONNECT_TIMEOUT = 5.0
"""Seconds within which a cluster has to answer."""


@dataclass(frozen=True)
class SceneFiles:
    """The files of a scene that a job reads, as they are sent to its worker."""

    origin: Path
    """The scene on the driver's disk: a file or a folder."""
    files: dict[str, bytes]
    """Content by path relative to the folder that holds the scene; empty where the scene does not exist."""

    @classmethod
    def of(cls, scene: Path, files: list[Path]) -> "SceneFiles":
        """Read files of a scene."""
        return cls(scene, {str(path.relative_to(scene.parent)): path.read_bytes() for path in files})

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """The scene on this machine's disk, within the block. Its path is the same for all jobs of a process, so that
        they share what is cached in memory by path."""
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
    """Temporary folder of this process's jobs, with host and process number in its name."""
    return tempfile.mkdtemp(prefix=f"{_prefix()}{os.getpid()}-")


def _prefix() -> str:
    return f"sinenerf-sweep-{socket.gethostname()}-"  # containers may share the folder, but not process numbers


def remove_leftovers() -> None:
    """Remove the folders that killed workers left on this machine."""
    import psutil  # part of the extra, like Ray

    for folder in Path(tempfile.gettempdir()).glob(f"{glob.escape(_prefix())}*"):
        owner = folder.name.removeprefix(_prefix()).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class WorkerReply:
    """What a worker sends back."""

    files: dict[str, bytes]
    """The files of the job's result by name."""
    failure: str | None = None
    """Why the job failed, in one line."""


def run_on_worker(job: Job, scene_files: SceneFiles, version: str) -> WorkerReply:
    """Run a job on a worker."""
    if version != __version__:
        versions = f"the worker {socket.gethostname()} has sinenerf {__version__}, the driver {version}"
        return WorkerReply({}, f"{versions}: install one version")
    with scene_files.unpacked() as scene:
        folder = scene.parent / "results"
        outcome = try_job(job, scene, folder)
        if outcome.interrupted:
            return WorkerReply({}, "it was interrupted on its worker")
        if outcome.failure is not None:  # with the driver's paths
            reason = outcome.failure.replace(str(scene), str(scene_files.origin)).replace(f"{folder}/", "")
            return WorkerReply({}, reason)
        written = job.path(folder).parent
        return WorkerReply({path.name: path.read_bytes() for path in written.iterdir() if path.is_file()})


class RayRunner:
    """Runs jobs on the cluster that Ray is connected to. A job that trains takes a GPU if there is one, else a CPU."""

    def __init__(self) -> None:
        import ray

        resources = ray.cluster_resources()
        self.gpus = int(resources.get("GPU", 0))
        self.slots = max(1, self.gpus or int(resources.get("CPU", 0)))
        self._sent: dict[tuple[Path, ...], Any] = {}

    def run(self, jobs: list[Job], scenes: Mapping[str, Path], results: Path) -> Iterator[tuple[Job, Outcome]]:
        """Submit all jobs at once and yield each as it ends. A job whose worker dies is run again on any worker."""
        import ray

        remote = ray.remote(run_on_worker)
        running: dict[Any, Job] = {}
        try:
            for job in jobs:
                program = PROGRAMS[job.program]
                gpus = 1 if self.gpus and program.trains else 0
                options = remote.options(num_cpus=1, num_gpus=gpus, max_retries=RETRIES, name=f"{job.scene} {job.key}")
                running[options.remote(job, self._send(job, scenes[job.scene]), __version__)] = job
            while running:
                (ready,), _ = ray.wait(list(running), num_returns=1)
                job = running.pop(ready)
                yield job, _receive(ready, job, results)
        except KeyboardInterrupt:
            yield next(iter(running.values()), jobs[-1]), Outcome()
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _send(self, job: Job, scene: Path) -> Any:
        """A reference to the files that the job reads, which are put into the cluster once."""
        import ray

        files = PROGRAMS[job.program].files(scene, job.settings) if scene.exists() else []
        key = (scene, *files)
        if key not in self._sent:
            self._sent[key] = ray.put(SceneFiles.of(scene, files))
        return self._sent[key]


def _receive(reference: Any, job: Job, results: Path) -> Outcome:
    """Write the files of a worker. The result file comes last, since with it the job counts as done."""
    import ray

    try:
        reply: WorkerReply = ray.get(reference)
    except ray.exceptions.WorkerCrashedError:
        return Outcome(failure=f"its worker died {RETRIES + 1} times. Out of memory? See Ray's logs")
    except ray.exceptions.RayError as error:
        return Outcome(failure=str(error).strip().splitlines()[-1])
    if reply.failure is not None:
        return Outcome(failure=reply.failure)
    path = job.path(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        for name in sorted(reply.files, key=lambda name: name == path.name):
            with replacing(path.with_name(name)) as partial:
                partial.write_bytes(reply.files[name])
        return Outcome(Result.read(path))
    except (ValueError, OSError) as error:
        return Outcome(failure=str(error))


@contextmanager
def connect(address: str) -> Iterator[RayRunner]:
    """A runner on the cluster at an address, HOST:PORT, or on one started here within the block ("local").

    Raises:
        ValueError: Ray is not installed, or no cluster answers at the address.
    """
    try:
        import ray
    except ImportError:
        raise ValueError("--ray needs Ray: pip install 'sinenerf[ray]'") from None
    if address != "local":
        _check_reachable(address)
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


def _check_reachable(address: str) -> None:
    """Connect once: Ray itself would try for a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"--ray {address}: is not HOST:PORT. Give a cluster's address, or local")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"--ray {address}: no cluster answers ({reason}). Start a cluster with: ray start --head"
        ) from None
