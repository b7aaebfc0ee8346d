"""Writing files whole or not at all, and checking output paths before any work."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path of the same extension beside `path`, renamed to it if the block succeeds, otherwise deleted.

    If `path` is a link, the file it points to is replaced. The new file takes over the permissions of the one that it
    replaces. Each process has its own temporary path; one left behind by a kill may be deleted.

    Raises:
        FileNotFoundError: the folder does not exist.
        FileExistsError: `path` is a device, a pipe or a socket.
        OSError: the file cannot be written; an existing file is unchanged.
    """
    check_folder(path)
    target = path.resolve()
    partial = target.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        with partial.open("r+b") as file:  # Windows cannot sync a file that is open only for reading
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Refuse a path where no file can be written, before any work.

    Raises:
        FileNotFoundError: its folder, or that of the file it links to, does not exist.
        IsADirectoryError: it is a folder.
        FileExistsError: it is a device, a pipe or a socket, which a file would replace.
        PermissionError: no file can be created in the folder.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder. Give the file to write, in it or elsewhere")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path}: is a device or a pipe, and only a regular file is replaced. Give another name")
    folder = path.resolve().parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{path}: the folder {folder} does not exist. Create it first: mkdir -p {folder}")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"no file can be created in {folder} ({error.strerror})"
        raise PermissionError(f"{path}: {reason}. Give another folder") from None


def check_not_an_input(output: Path, *inputs: Path | None) -> None:
    """Raise ValueError if the file to write is one of the files to read."""
    if output.exists() and any(path and path.exists() and output.samefile(path) for path in inputs):
        raise ValueError(f"{output}: is an input, and the output would overwrite it. Give another name")
