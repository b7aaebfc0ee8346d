"""Writing files whole or not at all, and checking output paths before any work."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

SMALLEST_SPACE = 2**22
"""Free bytes without which no work is begun whose result is a file."""
FULL = (errno.ENOSPC, errno.EDQUOT)


FREE_SOME = "Free some space, or give another folder"


class DiskFull(OSError):
    """A file cannot be written, or will not fit, since its disk is full. The message is one line that names it."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path of the same extension beside `path`, renamed to it if the block succeeds, otherwise deleted.

    If `path` is a link, the file it points to is replaced. The new file takes over the permissions of the one that it
    replaces. Each process has its own temporary path; one left behind by a kill may be deleted.

    Raises:
        FileNotFoundError: the folder does not exist.
        FileExistsError: `path` is a device, a pipe or a socket.
        DiskFull: the disk is full; an existing file is unchanged.
        OSError: the file cannot be written for another reason; likewise.
    """
    _check_place(path)
    target = path.resolve()
    partial = target.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        with naming_a_full_disk(path):
            yield partial
            with partial.open("r+b") as file:  # Windows cannot sync a file that is open only for reading
                os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def move_folder(folder: Path, target: Path, last: str) -> None:
    """Rename a complete folder to its place. What is in it is moved into a target that exists, an empty folder: the
    current folder, a link or a mounted disk cannot be replaced. After an interruption the same call goes on.

    Args:
        last: name of the file by which a complete folder is known. The target has it last, and `folder` has it until
            the target is complete.

    Raises:
        OSError: the target cannot be written.
    """
    if not target.is_dir():
        os.replace(folder, target)
        return
    for path in sorted(folder.iterdir(), key=lambda path: path.name == last):
        _rename_or_copy(path, target / path.name)
    (folder / last).unlink(missing_ok=True)  # first: what a kill leaves of the rest is not taken for complete
    shutil.rmtree(folder)


def _rename_or_copy(path: Path, place: Path) -> None:
    """Put a file or a folder at its place, whole or not at all. Where that is on another disk the original stays."""
    try:
        os.replace(path, place)
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    if place.exists():  # an earlier call has copied it
        return
    partial = place.with_name(f".partial-{place.name}")
    shutil.rmtree(partial, ignore_errors=True)
    if path.is_dir():
        shutil.copytree(path, partial)
    else:
        shutil.copy2(path, partial)
    os.replace(partial, place)


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of change of a file, by which a change of it is noticed."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def naming_a_full_disk(path: Path) -> Iterator[None]:
    """For code that writes a file: an error because the disk is full becomes one that names the file.

    Raises:
        DiskFull: the disk is full.
    """
    try:
        yield
    except DiskFull:
        raise
    except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError
        space = free_space(path)
        if getattr(error, "errno", None) in FULL or (isinstance(error, RuntimeError) and space < SMALLEST_SPACE):
            raise DiskFull(f"{path}: the disk is full ({_size(space)} free). {FREE_SOME}") from None
        raise


def free_space(path: Path) -> int:
    """Bytes that are free on the disk where a file or folder is, or would be."""
    folder = path.resolve()
    while not folder.is_dir():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_space(path: Path, needed: int = SMALLEST_SPACE) -> None:
    """Refuse a path on whose disk fewer than `needed` bytes are free, before any work.

    Raises:
        DiskFull: naming the path.
    """
    space = free_space(path)
    if space < needed:
        raise DiskFull(f"{path}: its disk has {_size(space)} free, and about {_size(needed)} are needed. {FREE_SOME}")


def _size(count: int) -> str:
    """Bytes as text, in GB from one on, and in MB from a hundredth of one on."""
    if count >= 1e9:
        return f"{count / 1e9:,.2f} GB"
    return f"{count / 1e6:,.2f} MB" if count >= 1e4 else f"{count} bytes"


def check_output(path: Path, *suffixes: str) -> None:
    """Refuse an output that `check_suffix` or `check_folder` refuses, before any work."""
    check_suffix(path, *suffixes)
    check_folder(path)


def check_suffix(path: Path, *suffixes: str) -> None:
    """Raise ValueError unless an output has one of its own extensions, given in lower case: a file with another one may
    be a mesh or a picture of the user's. A folder is left to `check_folder`."""
    if path.suffix.lower() not in suffixes and not path.is_dir():
        choice = f"one of {', '.join(suffixes)}" if len(suffixes) > 1 else suffixes[0]
        raise ValueError(f"{path}: cannot write '{path.suffix}'. Use {choice}")


def check_folder(path: Path) -> None:
    """Refuse a path where no file can be written, before any work.

    Raises:
        FileNotFoundError: its folder, or that of the file it links to, does not exist.
        IsADirectoryError: it is a folder.
        FileExistsError: it is a device, a pipe or a socket, which a file would replace.
        PermissionError: no file can be created in the folder.
        DiskFull: its disk is full, or nearly.
    """
    _check_place(path)
    check_space(path)


def _check_place(path: Path) -> None:
    """`check_folder` without asking how much is free: a small file may still fit."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder. Give the file to write, in it or elsewhere")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path}: is a device or a pipe, and only a regular file is replaced. Give another name")
    folder = path.resolve().parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{path}: the folder {folder} does not exist. Create it first: mkdir -p {folder}")
    try:
        with naming_a_full_disk(path), TemporaryFile(dir=folder):
            pass
    except DiskFull:
        raise
    except OSError as error:
        reason = f"no file can be created in {folder} ({error.strerror})"
        raise PermissionError(f"{path}: {reason}. Give another folder") from None


def check_file(path: Path, advice: str) -> None:
    """Refuse a path that is no file to read.

    Args:
        advice: what to give instead of a folder.

    Raises:
        FileNotFoundError: there is nothing.
        IsADirectoryError: it is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder. {advice}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")


def check_not_an_input(output: Path, *inputs: Path | None) -> None:
    """Raise ValueError if the file to write is one of the files to read."""
    if output.exists() and any(path and path.exists() and output.samefile(path) for path in inputs):
        raise ValueError(f"{output}: is an input, and the output would overwrite it. Give another name")
