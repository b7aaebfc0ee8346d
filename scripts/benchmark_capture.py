"""Time and accuracy of `sinenerf capture`: 50 photographs around a table, LLFF's fern, and the small generated room.

    python scripts/benchmark_capture.py --folder build/capture --fern data/nerf_llff_data/fern/images_4

Each finished capture is kept in the folder, so that a second call goes on where the first was stopped, and writes
scripts/results/capture.json. Run it alone on the machine: other work makes the times worthless. Rendering the 50
photographs takes about ten minutes, once, and is not counted.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tyro

from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.pipeline import capture
from sinenerf.capture.pose_errors import compare_poses
from sinenerf.capture.report import CaptureReport
from sinenerf.common.hardware import write_figures
from sinenerf.datasets.orbit_cameras import OrbitSettings
from sinenerf.datasets.orbit_capture import generate_orbit


def main(
    folder: Path = Path("build/capture"),
    fern: Path | None = None,
    threads: int = 2,
    results: Path = Path("scripts/results/capture.json"),
) -> None:
    """Capture, compare with the true cameras, and write the figures.

    Args:
        folder: where photographs and scenes go.
        fern: images_4 of LLFF's fern, with poses_bounds.npy in the folder above; left out if not given.
        threads: processor threads.
        results: file to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, settings in (
        ("room, 40 photographs of 270x480", OrbitSettings()),
        ("room, 50 photographs of 1080x1920", OrbitSettings(views=50, width=1080, height=1920)),
    ):
        target = f"room{settings.views}"
        photographs = generate_orbit(folder / target, settings)
        report = capture(photographs / "images", folder / f"{target}-scene", CaptureOptions(threads=threads), True)
        rows.append(figures(name, report, generated_poses(photographs)))
    if fern is not None:
        report = capture(fern, folder / "fern-scene", CaptureOptions(threads=threads), True)
        rows.append(figures("fern, 20 photographs of 1008x756, against LLFF's poses", report, llff_poses(fern)))
    for row in rows:
        print(json.dumps(row))
    write_figures(results, {"threads of the capture": threads, "captures": rows})


def figures(name: str, report: CaptureReport, known: dict[str, np.ndarray]) -> dict:
    """What is measured of one capture. Rotations are in degrees, positions in shares of the cameras' spread."""
    frames = json.loads((report.scene / "transforms.json").read_text(encoding="utf-8"))["frames"]
    found = np.array([frame["transform_matrix"] for frame in frames])[:, :3]
    errors = compare_poses(found, np.array([known[frame["source"]] for frame in frames]))
    return {
        "capture": name,
        "placed": len(report.placed),
        "of": report.total,
        "seconds": round(sum(report.seconds.values()), 1),
        "stages": {stage: round(seconds, 1) for stage, seconds in report.seconds.items()},
        "points": report.points,
        "reprojection error, pixels": round(report.reprojection_error, 3),
        **{key: round(value, 5) for key, value in asdict(errors).items()},
    }


def generated_poses(photographs: Path) -> dict[str, np.ndarray]:
    """True camera-to-world poses (3, 4) of generated photographs by file name."""
    frames = json.loads((photographs / "transforms.json").read_text())["frames"]
    return {Path(frame["file_path"]).name: np.array(frame["transform_matrix"])[:3] for frame in frames}


def llff_poses(images: Path) -> dict[str, np.ndarray]:
    """The published poses of an LLFF scene by file name, with axes right, up, back instead of down, right, back."""
    table = np.load(images.parent / "poses_bounds.npy")[:, :15].reshape(-1, 3, 5)
    names = sorted(path.name for path in images.iterdir())
    down, right, back, place = (table[:, :, k] for k in range(4))
    poses = np.stack([right, -down, back, place], axis=2)
    return dict(zip(names, poses, strict=True))


if __name__ == "__main__":
    tyro.cli(main)
