"""Downloads of published scenes: resumable, verified, and unpacked completely or not at all."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from sinenerf.common.files import DiskFull, check_space
from sinenerf.datasets.catalogue import PUBLISHED, Mirror, Published
from sinenerf.datasets.unpack import ArchiveError, unpack

if TYPE_CHECKING:
    from requests import Response
    from rich.progress import Progress

TIMEOUT = (15, 60)
"""Seconds allowed for connecting, and between two bytes."""


class DownloadError(RuntimeError):
    """The data could not be obtained. The message is one line: what failed, why, and what to do."""


def download(dataset: Literal["llff", "blender"], target: Path = Path("data")) -> Path:
    """Download a published data set, verify its checksum, unpack it into a folder in `target`, and return that folder.

    A data set that already exists is left as it is. An interrupted download is resumed by the next call. An archive
    that was placed in `target` by other means is used, and kept.

    Raises:
        DownloadError: the data set is unknown; no mirror delivers the archive; it is not the published one; the disk
            has too little space; or the folder already exists but is incomplete.
    """
    if dataset not in PUBLISHED:
        raise DownloadError(f"{dataset}: no such data set. Choose from {', '.join(PUBLISHED)}")
    published, target = PUBLISHED[dataset], Path(target)
    folder = target / published.folder
    if folder.exists():
        return _check_folder(folder, published)
    archive = target / published.archive
    try:
        target.mkdir(parents=True, exist_ok=True)
        downloaded = not archive.exists()
        if downloaded:
            archive = _fetch_from_any(published.mirrors, archive)
        elif sha256(archive) not in {mirror.sha256 for mirror in published.mirrors}:
            raise DownloadError(f"{archive}: not the published archive (wrong SHA-256). Remove it and run this again")
        unpack(archive, folder, lambda candidate: not _missing(candidate, published))
        if downloaded:
            archive.unlink()
    except (ArchiveError, DiskFull) as error:
        raise DownloadError(str(error)) from None
    except OSError as error:
        where, why = error.filename or target, error.strerror or error
        raise DownloadError(f"{where}: {why}. Choose a writable folder with enough space") from None
    return folder


def _missing(folder: Path, published: Published) -> list[Path]:
    keys = [folder / scene / published.key_file for scene in published.scenes]
    return [key for key in keys if not key.is_file()]


def _check_folder(folder: Path, published: Published) -> Path:
    if missing := _missing(folder, published):
        raise DownloadError(f"{missing[0]}: missing from an existing folder. Move {folder} away and run this again")
    return folder


def _fetch_from_any(mirrors: Sequence[Mirror], archive: Path) -> Path:
    """Download a verified archive. Its name marks it as ours, so that a later call may remove it."""
    from requests import RequestException

    failures = []
    for mirror in mirrors:
        # named after its checksum, since another mirror's archive may differ
        part = archive.with_name(f"{archive.name}.{mirror.sha256[:8]}.part")
        if _is_verified(part, mirror):
            return part
        try:
            _fetch(mirror.url, part)
        except RequestException as error:
            failures.append(f"{urlsplit(mirror.url).hostname} ({_reason(error)})")
            continue
        if _is_verified(part, mirror):
            return part
        part.unlink()
        failures.append(f"{urlsplit(mirror.url).hostname} (wrong SHA-256, discarded)")
    raise DownloadError(
        f"{archive.name}: cannot be downloaded from {', '.join(failures)}. Check the network and run this again to "
        f"resume, or download {mirrors[0].url} by other means and put it at {archive}"
    )


def _is_verified(part: Path, mirror: Mirror) -> bool:
    return part.is_file() and sha256(part) == mirror.sha256


def _fetch(url: str, part: Path) -> None:
    """Download to `part`, continuing at its current end; after a cut, retry as long as each attempt adds bytes.

    Raises:
        requests.RequestException: no connection, refused, or cut without any progress.
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

    offset = _size(part)
    # offsets in a compressed transfer would differ from those in the file
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if offset and response.status_code == 416:
            return  # the file ends here: its checksum will show whether it is complete
        response.raise_for_status()
        if not _resumes_at(response, offset):
            offset = 0
        length = int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        check_space(part.parent, length or 0)
        task = progress.add_task(f"{urlsplit(url).hostname}", total=length and offset + length, completed=offset)
        with part.open("ab" if offset else "wb") as file:
            for block in response.iter_content(1 << 20):
                file.write(block)
                progress.advance(task, len(block))
        progress.remove_task(task)


def _resumes_at(response: "Response", offset: int) -> bool:
    """Whether the response starts at byte `offset`, and not at the beginning of the file."""
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "timeout"
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
