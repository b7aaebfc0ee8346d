"""Files are written whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path of the same extension beside `path`. When the block ends well it takes its name, else it goes.

    Where `path` is a link, that is done with the file it points to. A file that is replaced hands on its permissions.
    Each process has its own temporary path. One that a kill leaves behind may be deleted.

    Raises:
        FileNotFoundError: the folder is not there.
        FileExistsError: `path` is a device, a pipe or a socket.
        OSError: the file cannot be written; what was there before stays.
    """
    check_folder(path)
    target = path.resolve()
    partial = target.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        with partial.open("r+b") as file:  # Windows syncs no file that is open for reading alone
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Refuse a path where no file can be written, before any work is done for it.

    Raises:
        FileNotFoundError: the folder that it, or the file that it links to, lies in is not there.
        IsADirectoryError: it is a folder itself.
        FileExistsError: it is a device, a pipe or a socket, whose place a file would take.
        PermissionError: no file can be made in the folder.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder. Give the file to write, in it or elsewhere")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path}: is a device or a pipe, and only a regular file is replaced. Give another name")
    folder = path.resolve().parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{path}: the folder {folder} is not there. Make it first: mkdir -p {folder}")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"no file can be made in {folder} ({error.strerror})"
        raise PermissionError(f"{path}: {reason}. Give another folder") from None


def check_not_an_input(output: Path, *inputs: Path | None) -> None:
    """Raise ValueError where a file that is to be written is one of those that are read."""
    if output.exists() and any(path and path.exists() and output.samefile(path) for path in inputs):
        raise ValueError(f"{output}: is read, and would be replaced by what is made of it. Give another name")
