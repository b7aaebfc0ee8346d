"""Files are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path of the same extension beside `path`. When the block ends well it takes its name, else it goes.

    Each process has its own. One that a kill leaves behind may be deleted.

    Raises:
        FileNotFoundError: the folder is not there.
        OSError: the file cannot be written; what was there before stays.
    """
    check_folder(path)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        with partial.open("r+b") as file:  # Windows syncs no file that is open for reading alone
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Raise FileNotFoundError unless the folder that `path` is to be written into is there; IsADirectoryError where
    `path` is a folder itself."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder. Give the file to write, in it or elsewhere")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} is not there. Make it first: mkdir -p {path.parent}")


def check_not_an_input(output: Path, *inputs: Path | None) -> None:
    """Raise ValueError where a file that is to be written is one of those that are read."""
    if output.exists() and any(path and path.exists() and output.samefile(path) for path in inputs):
        raise ValueError(f"{output}: is read, and would be replaced by what is made of it. Give another name")
