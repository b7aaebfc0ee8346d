"""A million damaged .sine files: each must be refused with the reader's own error, or read as a whole field.

    nice -n 19 python scripts/fuzz.py

File number n is a golden file that was changed at random (damage.py), with n as the seed. A worker process of bounded
address space reads one after the other. If it dies, or needs too long for a file, that file is noted and a new worker
carries on. The result file is updated every block; after Ctrl-C or kill -9 the same command resumes from it.
"""

import json
import multiprocessing
import re
import resource
import sys
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import tyro
from damage import damaged_file, golden_files
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sinenerf.codec.adapter_header import read_header
from sinenerf.codec.container import ADAPTER, Container
from sinenerf.codec.entropy import CodecError
from sinenerf.common import hardware
from sinenerf.sine_file import load

BLOCK = 1000
"""Files between two updates of the result."""


@dataclass
class Options:
    files: int = 1_000_000
    """Number of damaged files, a multiple of a thousand."""
    results: Path = Path("scripts/results/fuzz.json")
    """Result file."""
    golden: Path = Path("tests/golden")
    """Folder of the files to damage."""
    seconds: float = 60.0
    """Time after which reading one file counts as a hang."""
    mebibytes: int = 1024
    """Address space that reading may take beyond what Python, torch and the program have taken before."""
    number: int | None = None
    """Read only the file of this number, here, and show its traceback."""


@dataclass
class Tally:
    """What became of the files."""

    done: int = 0
    refused: int = 0
    read: int = 0
    crashes: list[dict[str, Any]] = field(default_factory=list)
    """{number, error} of each file that raised anything but the reader's own error, or ended the process."""
    hangs: list[int] = field(default_factory=list)
    """Numbers of the files that took too long."""
    slowest: float = 0.0
    """Processor seconds of the slowest file."""
    peak_mib: float = 0.0
    """Largest resident memory of a worker."""
    start_mib: float = 0.0
    """Resident memory of a worker before its first file."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Number of files by the message of their refusal, numbers in it left out."""
    golden: int = 0
    """CRC-32 of all golden files."""

    def add(self, block: "Tally") -> None:
        """Count the files of a block."""
        self.done, self.refused = self.done + block.done, self.refused + block.refused
        self.read, self.crashes = self.read + block.read, self.crashes + block.crashes
        for name in ("slowest", "peak_mib", "start_mib"):
            setattr(self, name, max(getattr(self, name), getattr(block, name)))
        self.reasons = dict((Counter(self.reasons) + Counter(block.reasons)).most_common())

    def line(self) -> str:
        """The result in one line."""
        return (
            f"{self.done:,} files: {self.refused:,} refused with the reader's own error, {self.read:,} read as a field,"
            f" {len(self.crashes)} crashes, {len(self.hangs)} hangs, peak memory {self.peak_mib:.0f} MiB (start "
            f"{self.start_mib:.0f}), slowest {self.slowest:.2f} s"
        )


def read(path: Path) -> None:
    """Read a file as a program does: a field with every W built, or the tensors of an adapter.

    Raises:
        CodecError: the file is refused.
    """
    data = path.read_bytes()
    if len(data) > 5 and data[5] == ADAPTER:
        container = Container.open(path)
        container.tensors(list(read_header(container).shapes.values()))
    else:
        load(path)


def read_block(numbers: range, skip: set[int], files: Sequence[bytes], path: Path, current: Any) -> Tally:
    """Read a block of damaged files, and write the number of each into `current` before."""
    tally, reasons = Tally(done=len(numbers)), Counter[str]()
    for number in numbers:
        if number in skip:
            continue
        path.write_bytes(damaged_file(number, files))
        current.value = number
        begin = time.process_time()
        try:
            read(path)
            tally.read += 1
        except CodecError as error:
            tally.refused += 1
            reasons[re.sub(r"\d[\d.,e+-]*", "#", str(error).removeprefix(f"{path}: "))[:100]] += 1
        except Exception as error:
            tally.crashes.append({"number": number, "error": f"{type(error).__name__}: {error}"[:300]})
        tally.slowest = max(tally.slowest, time.process_time() - begin)
    tally.reasons, tally.peak_mib = dict(reasons), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return tally


def work(options: Options, start: int, skip: set[int], folder: str, current: Any, results: Connection) -> None:
    """A worker: reads all blocks from a number on, and sends the tally of each."""
    torch.set_num_threads(1)  # a fork has none of its parent's threads, and would wait for them
    pages, resident = map(int, Path("/proc/self/statm").read_text().split()[:2])
    limit = pages * resource.getpagesize() + options.mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    files = golden_files(options.golden)
    for first in range(start, options.files, BLOCK):
        tally = read_block(range(first, first + BLOCK), skip, files, Path(folder, "damaged.sine"), current)
        tally.start_mib = resident * resource.getpagesize() / 2**20
        try:
            results.send(tally)
        except BrokenPipeError:  # the program was killed
            return


def run(options: Options, tally: Tally, progress: Progress) -> None:
    """Read the files that the tally has not counted, with a new worker after each crash and hang."""
    fork = multiprocessing.get_context("fork")
    bar = progress.add_task("", total=options.files, completed=tally.done)
    skip = set(tally.hangs) | {crash["number"] for crash in tally.crashes}
    while tally.done < options.files:
        results, sender = fork.Pipe(duplex=False)
        current = fork.RawValue("q", -1)
        with TemporaryDirectory() as folder:
            arguments = (options, tally.done, skip, folder, current, sender)
            worker = fork.Process(target=work, args=arguments, daemon=True)
            worker.start()
            sender.close()
            ended = follow(worker, results, current, options, tally, lambda: progress.update(bar, completed=tally.done))
        if ended is not None:
            skip.add(current.value)
            if ended == "hang":
                tally.hangs.append(current.value)
            else:
                tally.crashes.append({"number": current.value, "error": ended})


def follow(worker: Any, results: Connection, current: Any, options: Options, tally: Tally, show: Any) -> str | None:
    """Take a worker's tallies until it is done, dies or hangs. Returns "hang", how it died, or None."""
    number, since = -1, time.monotonic()
    while tally.done < options.files:
        if results.poll(1.0):
            try:
                tally.add(results.recv())
            except EOFError:
                worker.join()
                return f"the process ended with exit code {worker.exitcode}"
            hardware.write_figures(options.results, {"files": options.files, **asdict(tally)})
            show()
        if current.value != number:
            number, since = current.value, time.monotonic()
        elif time.monotonic() > since + options.seconds:
            worker.kill()
            worker.join()
            return "hang"
    worker.join()
    return None


def main(options: Options) -> None:
    if options.number is not None:
        with TemporaryDirectory() as folder:
            path = Path(folder, "damaged.sine")
            path.write_bytes(damaged_file(options.number, golden_files(options.golden)))
            read(path)
        return
    tally = Tally(golden=zlib.crc32(b"".join(golden_files(options.golden))))
    if options.results.is_file():
        figures = json.loads(options.results.read_text())
        if figures["golden"] != tally.golden:
            sys.exit(f"{options.results}: is of other golden files, so its numbers mean other files. Move it away")
        tally = Tally(**{name: figures[name] for name in asdict(tally)})
    columns = (TextColumn("Reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        try:
            run(options, tally, progress)
        except KeyboardInterrupt:
            sys.exit(130)
    print(tally.line())
    sys.exit(1 if tally.crashes or tally.hangs else 0)


if __name__ == "__main__":
    main(tyro.cli(Options))
