"""Unpacking of untrusted archives: never outside the folder, and completely or not at all."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from sinenerf.common.files import check_space
from sinenerf.common.work_folder import hidden_beside


class ArchiveError(ValueError):
    """An archive cannot be unpacked. The message is one line."""


def unpack(archive: Path, folder: Path, is_complete: Callable[[Path], bool]) -> None:
    """Unpack the data set in a zip archive, which may be its root or one of its top folders, and name it `folder`.

    Args:
        is_complete: tells whether an unpacked folder is the data set.

    Raises:
        ArchiveError: the archive is broken, contains an unsafe path or a link, or lacks the data set.
        DiskFull: it is too large for the free disk space.
        OSError: the folder cannot be written.
    """
    partial = hidden_beside(folder, "partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _extract(archive, partial)
        complete = [candidate for candidate in (partial, *sorted(partial.iterdir())) if is_complete(candidate)]
        if not complete:
            raise ArchiveError(f"{archive}: scenes are missing from this archive. Remove it and run this again")
        os.replace(complete[0], folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    try:
        with ZipFile(archive) as file:
            members = [member for member in file.infolist() if not member.filename.startswith("__MACOSX/")]
            for member in members:
                _check_member(archive, member)
            check_space(folder.parent, sum(member.file_size for member in members))
            folder.mkdir()
            file.extractall(folder, members)
    except BadZipFile as error:
        raise ArchiveError(f"{archive}: a broken zip archive ({error}). Remove it and run this again") from None


def _check_member(archive: Path, member: ZipInfo) -> None:
    path, windows = PurePosixPath(member.filename), PureWindowsPath(member.filename)
    if path.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise ArchiveError(
            f"{archive}: contains the unsafe path {member.filename!r}. Nothing was unpacked; do not use this archive"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ArchiveError(
            f"{archive}: contains the link {member.filename!r}. Nothing was unpacked; do not use this archive"
        )
