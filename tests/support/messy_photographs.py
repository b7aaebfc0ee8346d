"""Photographs of the generated room as users have them, and the scene that `capture` makes of them."""

import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from support.shared_folders import shared_folder

from sinenerf.datasets.orbit_cameras import OrbitSettings
from sinenerf.datasets.orbit_capture import generate_orbit

SETTINGS = OrbitSettings(views=12, width=240, height=426, samples=1, turn=85)
"""Small, and close together, so that a capture takes a few seconds."""
NAMES = {
    1: "first day/IMG 2.JPG",
    2: "first day/IMG 10.jpeg",
    3: "second day/zweite Übung/größe.jpg",
    4: "lossless.png",
    5: "compact.webp",
    6: "phone.heic",
    7: "on its side.jpg",
    8: "smaller.jpg",
    9: "nine.jpg",
    10: "with alpha.png",
    11: "with mask.jpg",
}
"""Where each view of the orbit is kept, of those that can be placed."""
BAD = {
    "broken.jpg": "unreadable",
    "twin of nine.jpg": "duplicate",
    "foreign.jpg": "no overlap",
    "blurred.jpg": "blurred",
    "night.jpg": "dark",
}
"""Photographs that cannot be placed, and the reason."""


@dataclass(frozen=True)
class Messy:
    """A folder of photographs of all kinds, with the truth about them."""

    folder: Path
    truth: Path
    """The folder of the generated photographs, with their true cameras in transforms.json."""
    fingerprint: str
    """Of the folder's files and their contents, when it was made."""

    def pose(self, source: str) -> np.ndarray:
        """The true camera-to-world pose (3, 4) of a photograph."""
        frames = json.loads((self.truth / "transforms.json").read_text())["frames"]
        view = next(view for view, name in NAMES.items() if name == source)
        return np.array(frames[view]["transform_matrix"])[:3]


def fingerprint(folder: Path) -> str:
    """A digest of all names, contents and times of change below a folder."""
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.relative_to(folder)} {path.stat().st_mtime_ns}".encode() + content)
    return digest.hexdigest()


@pytest.fixture(scope="session")
def orbit(tmp_path_factory) -> Path:
    """Generated photographs of the room with their truth. Tests do not change it."""
    folder = shared_folder(tmp_path_factory, "orbits", lambda folder: generate_orbit(folder / "orbit", SETTINGS))
    return folder / "orbit"


@pytest.fixture(scope="session")
def messy(orbit, tmp_path_factory) -> Messy:
    """Photographs of every format, some of which cannot be used. Tests do not change it."""

    def make(parent):
        folder = parent / "my photographs"
        for view, name in NAMES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _keep(orbit / "images" / f"view_{view:03d}.jpg", folder / name)
        _add_mask(folder / "masks" / "with mask.png")
        _spoil(orbit, folder)
        (folder / "notes.txt").write_text("not a photograph")
        (folder / ".hidden.jpg").write_bytes(b"not one either")

    folder = shared_folder(tmp_path_factory, "messy", make) / "my photographs"
    return Messy(folder, orbit, fingerprint(folder))


@pytest.fixture(scope="session")
def captured(messy, tmp_path_factory):
    """The report of `capture` on the messy photographs; its scene is not changed by tests."""
    from sinenerf.capture.options import CaptureOptions
    from sinenerf.capture.pipeline import capture
    from sinenerf.capture.report import CaptureReport

    def make(folder):
        capture(messy.folder, folder / "scene", CaptureOptions(features=3000))

    return CaptureReport.read(shared_folder(tmp_path_factory, "captured", make) / "scene")


def _keep(source: Path, target: Path) -> None:
    """Save a generated photograph as its name says."""
    if target.suffix in (".JPG", ".jpeg"):
        shutil.copy(source, target)
        return
    with Image.open(source) as image:
        exif, picture = image.getexif(), image.convert("RGB")
    if target.stem == "smaller":
        picture = picture.resize((200, 355), Image.Resampling.LANCZOS)
    if target.stem == "with alpha":
        alpha = Image.new("L", picture.size, 255)
        alpha.paste(0, (0, 0, 240, 60))
        picture.putalpha(alpha)
    if target.stem == "on its side":  # as a camera held sideways stores it
        picture, exif[0x0112] = picture.transpose(Image.Transpose.ROTATE_90), 6
    if target.suffix == ".heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    picture.save(target, quality=95, exif=exif.tobytes())


def _add_mask(path: Path) -> None:
    path.parent.mkdir()
    mask = np.full((426, 240), 255, np.uint8)
    mask[300:, :120] = 0
    Image.fromarray(mask).save(path)


def _spoil(orbit: Path, folder: Path) -> None:
    """Add the photographs of `BAD`."""
    (folder / "broken.jpg").write_bytes((orbit / "images/view_000.jpg").read_bytes()[:3000])
    shutil.copy(folder / "nine.jpg", folder / "twin of nine.jpg")
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 255, (40, 30, 3), np.uint8))
    coarse.resize((240, 426), Image.Resampling.NEAREST).save(folder / "foreign.jpg")
    with Image.open(orbit / "images/view_000.jpg") as image:
        image.filter(ImageFilter.GaussianBlur(9)).save(folder / "blurred.jpg")
        image.point(lambda value: value // 60).save(folder / "night.jpg")
