"""Downloads from a local server: resumed, verified, and refused if unsafe."""

import hashlib
import io
import os
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sinenerf.datasets import catalogue
from sinenerf.datasets.catalogue import Mirror, Published
from sinenerf.datasets.download import DownloadError, download

SCENES = ("fern", "room")
FILLING = os.urandom(3_000_000)  # does not compress, and takes several blocks, so that a transfer can be cut


def make_zip(top="nerf_llff_data/", extra=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for scene in SCENES:
            archive.writestr(f"{top}{scene}/poses_bounds.npy", scene)
            archive.writestr(f"{top}{scene}/images/image000.png", FILLING[: len(FILLING) // 2])
        archive.writestr("__MACOSX/._junk", "junk")
        for member, content in extra:
            archive.writestr(member, content)
    return buffer.getvalue()


ARCHIVE = make_zip()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        body, start = server.files.get(self.path), 0
        if body is None:
            return self.send_error(404)
        if server.honours_range and self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(body[start : start + cut] if cut is not None else body[start:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.ranges, server.cuts, server.honours_range = {"/a.zip": ARCHIVE}, [], [], True
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def publish(monkeypatch):
    """Replace the mirrors of the LLFF scenes by a list of (address, archive)."""

    def to_catalogue(*mirrors):
        entries = tuple(Mirror(url, hashlib.sha256(archive).hexdigest()) for url, archive in mirrors)
        published = Published("nerf_llff_data", SCENES, "poses_bounds.npy", entries)
        monkeypatch.setitem(catalogue.PUBLISHED, "llff", published)

    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return to_catalogue


def part_of(folder, archive=ARCHIVE):
    return folder / f"nerf_llff_data.zip.{hashlib.sha256(archive).hexdigest()[:8]}.part"


def failure(folder):
    with pytest.raises(DownloadError) as error:
        download("llff", folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_second_call_downloads_nothing(server, publish, tmp_path):
    publish((f"{server.url}/a.zip", ARCHIVE))
    folder = download("llff", tmp_path / "data")
    assert folder == tmp_path / "data" / "nerf_llff_data"
    assert (folder / "fern" / "poses_bounds.npy").read_text() == "fern"
    assert [path.name for path in folder.parent.iterdir()] == ["nerf_llff_data"]
    assert download("llff", tmp_path / "data") == folder
    assert len(server.ranges) == 1


def test_archive_without_a_top_folder(server, publish, tmp_path):
    server.files["/a.zip"] = make_zip(top="")
    publish((f"{server.url}/a.zip", server.files["/a.zip"]))
    assert (download("llff", tmp_path) / "room" / "poses_bounds.npy").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["nerf_llff_data"]


def test_cut_connection_is_resumed(server, publish, tmp_path):
    publish((f"{server.url}/a.zip", ARCHIVE))
    server.cuts = [1_200_000]
    assert download("llff", tmp_path).is_dir()
    assert server.ranges[0] is None
    assert 0 < int(server.ranges[1].removeprefix("bytes=").rstrip("-")) <= 1_200_000


def test_interrupted_run_is_resumed(server, publish, tmp_path):
    publish((f"{server.url}/a.zip", ARCHIVE))
    part_of(tmp_path).write_bytes(ARCHIVE[:1000])
    assert download("llff", tmp_path).is_dir()
    assert server.ranges == ["bytes=1000-"]


def test_a_complete_part_needs_no_transfer(publish, tmp_path):
    publish(("http://127.0.0.1:9/a.zip", ARCHIVE))
    part_of(tmp_path).write_bytes(ARCHIVE)
    assert download("llff", tmp_path).is_dir()


def test_interrupted_unpacking_leaves_nothing_behind(server, publish, tmp_path, monkeypatch):
    publish((f"{server.url}/a.zip", ARCHIVE))

    def stopped(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extractall", stopped)
        with pytest.raises(KeyboardInterrupt):
            download("llff", tmp_path)
    assert download("llff", tmp_path).is_dir() and len(server.ranges) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["nerf_llff_data"]


def test_server_without_ranges_restarts_the_download(server, publish, tmp_path):
    publish((f"{server.url}/a.zip", ARCHIVE))
    server.honours_range = False
    part_of(tmp_path).write_bytes(ARCHIVE[:1000])
    assert download("llff", tmp_path).is_dir()


def test_server_that_always_cuts_is_abandoned(server, publish, tmp_path):
    publish((f"{server.url}/a.zip", ARCHIVE))
    server.honours_range, server.cuts = False, [1_200_000] * 9
    assert "127.0.0.1 (connection cut)" in failure(tmp_path)
    assert len(server.ranges) == 2
    assert part_of(tmp_path).stat().st_size > 0


def test_second_mirror_is_tried(server, publish, tmp_path):
    publish((f"{server.url}/gone.zip", b"other"), (f"{server.url}/a.zip", ARCHIVE))
    assert download("llff", tmp_path).is_dir()


def test_wrong_checksum_is_discarded(server, publish, tmp_path):
    publish((f"{server.url}/a.zip", b"another archive"))
    assert "wrong SHA-256" in failure(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_host_and_remedy_are_named(publish, tmp_path):
    publish(("http://127.0.0.1:9/a.zip", ARCHIVE))
    message = failure(tmp_path)
    assert "127.0.0.1 (no connection)" in message
    assert f"put it at {tmp_path / 'nerf_llff_data.zip'}" in message


def test_missing_archive_is_reported(server, publish, tmp_path):
    publish((f"{server.url}/gone.zip", ARCHIVE))
    assert "HTTP 404" in failure(tmp_path)


def test_an_archive_placed_by_hand_is_used(publish, tmp_path):
    publish(("http://127.0.0.1:9/a.zip", ARCHIVE))
    (tmp_path / "nerf_llff_data.zip").write_bytes(ARCHIVE)
    assert download("llff", tmp_path).is_dir()
    assert (tmp_path / "nerf_llff_data.zip").is_file()


def test_a_wrong_archive_placed_by_hand_is_refused(publish, tmp_path):
    publish(("http://127.0.0.1:9/a.zip", ARCHIVE))
    (tmp_path / "nerf_llff_data.zip").write_bytes(b"an error page")
    assert "not the published archive" in failure(tmp_path)


def link():
    member = zipfile.ZipInfo("nerf_llff_data/link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    "member", ["../evil", "nerf_llff_data/../../evil", "/evil", "C:/evil", "..\\evil", link()], ids=str
)
def test_unsafe_archive_is_refused(server, publish, tmp_path, member):
    server.files["/a.zip"] = archive = make_zip(extra=[(member, "/etc/passwd")])
    publish((f"{server.url}/a.zip", archive))
    assert "Nothing was unpacked" in failure(tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert list((tmp_path / "data").iterdir()) == [part_of(tmp_path / "data", archive)]


@pytest.mark.parametrize(("content", "message"), [(b"no zip", "broken zip"), (make_zip("a/b/"), "scenes are missing")])
def test_broken_or_incomplete_archive_is_refused(server, publish, tmp_path, content, message):
    server.files["/a.zip"] = content
    publish((f"{server.url}/a.zip", content))
    assert message in failure(tmp_path)
    assert not (tmp_path / "nerf_llff_data").exists()


def test_incomplete_folder_is_left_alone(publish, tmp_path):
    (tmp_path / "nerf_llff_data" / "fern").mkdir(parents=True)
    assert "missing from an existing folder" in failure(tmp_path)
    assert (tmp_path / "nerf_llff_data" / "fern").is_dir()


def test_a_full_disk_is_reported_before_the_download(server, publish, tmp_path, monkeypatch):
    publish((f"{server.url}/a.zip", ARCHIVE))
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    assert "Free some space" in failure(tmp_path)


def test_target_is_a_file(publish, tmp_path):
    (tmp_path / "data").write_text("mine")
    assert "Choose a writable folder" in failure(tmp_path / "data")


def test_unknown_data_set(tmp_path):
    with pytest.raises(DownloadError, match="llff, blender"):
        download("mipnerf360", tmp_path)


def test_catalogue_is_well_formed():
    for published in catalogue.PUBLISHED.values():
        assert len(published.scenes) == 8
        assert len(published.mirrors) >= 2
        for mirror in published.mirrors:
            assert mirror.url.startswith("https://")
            assert len(bytes.fromhex(mirror.sha256)) == 32
