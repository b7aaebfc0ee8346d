"""Downloading published scenes: resumable, verified, and unpacked all or nothing."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from sinenerf.datasets.catalogue import PUBLISHED, Mirror, Published
from sinenerf.datasets.unpack import ArchiveError, unpack

if TYPE_CHECKING:
    from requests import Response
    from rich.progress import Progress

TIMEOUT = (15, 60)
"""Seconds to connect, and without a byte arriving."""


class DownloadError(RuntimeError):
    """Data that could not be had. The message is one line: what, why, and what to do."""


def download(dataset: Literal["llff", "blender"], target: Path = Path("data")) -> Path:
    """Fetch a published data set, verify its checksum and unpack it to a folder in `target`, which is returned.

    Nothing is done where it is there already. An interrupted download is continued by the next call. An archive that
    was fetched by other means and put into `target` is used, and kept.

    Raises:
        DownloadError: an unknown data set; no mirror gives the archive; it is not the published one; no room on the
            disk; something incomplete or different is where the folder should go.
    """
    if dataset not in PUBLISHED:
        raise DownloadError(f"{dataset}: no such data set. There are {', '.join(PUBLISHED)}")
    published, target = PUBLISHED[dataset], Path(target)
    folder = target / published.folder
    if folder.exists():
        return _check_folder(folder, published)
    archive = target / published.archive
    try:
        target.mkdir(parents=True, exist_ok=True)
        ours = not archive.exists()
        if ours:
            archive = _fetch_from_any(published.mirrors, archive)
        elif sha256(archive) not in {mirror.sha256 for mirror in published.mirrors}:
            raise DownloadError(f"{archive}: not the published archive (wrong SHA-256). Remove it and run this again")
        unpack(archive, folder, lambda place: not _missing(place, published))
        if ours:
            archive.unlink()
    except ArchiveError as error:
        raise DownloadError(str(error)) from None
    except OSError as error:
        where, why = error.filename or target, error.strerror or error
        raise DownloadError(f"{where}: {why}. Choose a folder that can be written to and has room") from None
    return folder


def _missing(folder: Path, published: Published) -> list[Path]:
    keys = [folder / scene / published.key_file for scene in published.scenes]
    return [key for key in keys if not key.is_file()]


def _check_folder(folder: Path, published: Published) -> Path:
    if missing := _missing(folder, published):
        raise DownloadError(f"{missing[0]}: missing from what is there. Move {folder} away and run this again")
    return folder


def _fetch_from_any(mirrors: Sequence[Mirror], archive: Path) -> Path:
    """A verified archive, under a name that says it is ours: whatever happens now, the next call may remove it."""
    from requests import RequestException

    failures = []
    for mirror in mirrors:
        # named by checksum: another mirror's archive may have other bytes
        part = archive.with_name(f"{archive.name}.{mirror.sha256[:8]}.part")
        if _is_whole(part, mirror):
            return part
        try:
            _fetch(mirror.url, part)
        except RequestException as error:
            failures.append(f"{urlsplit(mirror.url).hostname} ({_reason(error)})")
            continue
        if _is_whole(part, mirror):
            return part
        part.unlink()
        failures.append(f"{urlsplit(mirror.url).hostname} (wrong SHA-256, discarded)")
    raise DownloadError(
        f"{archive.name}: not to be had from {', '.join(failures)}. Check the network and run this again to continue, "
        f"or fetch {mirrors[0].url} elsewhere and put it at {archive}"
    )


def _is_whole(part: Path, mirror: Mirror) -> bool:
    return part.is_file() and sha256(part) == mirror.sha256


def _fetch(url: str, part: Path) -> None:
    """Download to `part`, starting after what it holds, and again after a cut as long as that brings anything new.

    Raises:
        requests.RequestException: no connection, refused, or cut for good.
    """
    from requests import RequestException

    with _progress() as progress:
        while True:
            before = _size(part)
            try:
                return _fetch_once(url, part, progress)
            except RequestException:
                if _size(part) <= before:
                    raise


def _fetch_once(url: str, part: Path, progress: "Progress") -> None:
    import requests

    have = _size(part)
    # a compressed transfer would have other offsets than the file
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if have and response.status_code == 416:
            return  # nothing after what is there: the checksum will tell whether it is whole
        response.raise_for_status()
        if not _continues(response, have):
            have = 0
        length = int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        _check_room(part, length or 0)
        task = progress.add_task(f"{urlsplit(url).hostname}", total=length and have + length, completed=have)
        with part.open("ab" if have else "wb") as file:
            for block in response.iter_content(1 << 20):
                file.write(block)
                progress.advance(task, len(block))
        progress.remove_task(task)


def _continues(response: "Response", have: int) -> bool:
    """Whether the server sends what comes after the first `have` bytes, and not the whole file once more."""
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise DownloadError(
            f"{part.parent}: {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed. Make room or choose another"
        )


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "connection cut"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _progress() -> "Progress":
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(
        progress.TextColumn("{task.description}"), *columns, console=Console(stderr=True), transient=True
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def sha256(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
