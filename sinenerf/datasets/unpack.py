"""Unpacking archives from the network: nothing outside the folder, and all or nothing."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import BadZipFile, ZipFile, ZipInfo


class ArchiveError(ValueError):
    """An archive that cannot be unpacked. The message is one line."""


def unpack(archive: Path, folder: Path, is_complete: Callable[[Path], bool]) -> None:
    """Unpack a zip archive so that `folder` becomes what is complete in it: the archive's top or one of its folders.

    Raises:
        ArchiveError: broken, with an unsafe path or a link, without what is wanted, or too large for the disk.
        OSError: the folder cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _extract(archive, partial)
        complete = [place for place in (partial, *sorted(partial.iterdir())) if is_complete(place)]
        if not complete:
            raise ArchiveError(f"{archive}: scenes are missing from it. Remove it and run this again")
        os.replace(complete[0], folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    try:
        with ZipFile(archive) as file:
            members = [member for member in file.infolist() if not member.filename.startswith("__MACOSX/")]
            for member in members:
                _check_member(archive, member)
            needed, free = sum(member.file_size for member in members), shutil.disk_usage(archive.parent).free
            if needed > free:
                raise ArchiveError(
                    f"{archive.parent}: {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed to unpack. Make room"
                )
            folder.mkdir()
            file.extractall(folder, members)
    except BadZipFile as error:
        raise ArchiveError(f"{archive}: a broken zip archive ({error}). Remove it and run this again") from None


def _check_member(archive: Path, member: ZipInfo) -> None:
    path, windows = PurePosixPath(member.filename), PureWindowsPath(member.filename)
    if path.is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise ArchiveError(
            f"{archive}: unsafe path {member.filename!r} in it. Nothing was unpacked; do not use this archive"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ArchiveError(
            f"{archive}: {member.filename!r} in it is a link. Nothing was unpacked; do not use this archive"
        )
