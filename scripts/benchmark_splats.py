"""What a scene loses as Gaussian splats: pictures by Spark (npm), in headless Chromium, beside the field's own, in dB.

python scripts/benchmark_splats.py scene.sine --counts 50000 200000 --output splats.json
"""

import argparse
import base64
import io
import json
import math
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

import sinenerf
from sinenerf.common.axes import upright_transform
from sinenerf.common.hardware import write_figures
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.splat_files import save_splats
from sinenerf.radiance.splats import splats_of
from sinenerf.radiance.surface_points import sample_surface

PAGE = Path(__file__).with_name("splat_page.mjs")
PACKAGES = "@sparkjsdev/spark@2.2.0", "three@0.187.0", "esbuild@0.28.2"
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
NEAR, FAR = 0.01, 1e4


def bundled(folder: Path) -> str:
    """The page's script with Spark and three.js in it."""
    shutil.copy(PAGE, folder)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES], cwd=folder, check=True)
    line = ["npx", "esbuild", PAGE.name, "--bundle", "--format=esm", "--log-level=error"]
    return subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True).stdout


def projection(camera: Camera) -> np.ndarray:
    """OpenGL's matrix (4, 4)."""
    w, h = camera.width, camera.height
    depth = [-(FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)]
    x, y = [2 * camera.fx / w, 0, 1 - 2 * camera.cx / w, 0], [0, 2 * camera.fy / h, 2 * camera.cy / h - 1, 0]
    return np.array([x, y, [0, 0, *depth], [0, 0, -1, 0]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--formats", nargs="+", default=[".spz", ".ply"], choices=[".spz", ".ply"])
    parser.add_argument("--views", type=int, default=2, help="on the path around home, besides home")
    parser.add_argument("--scale", type=float, default=1.0, help="of the pictures, as a multiple of the photographs'")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder for the pictures, Spark's on the left")
    arguments = parser.parse_args()
    field = sinenerf.load(arguments.scene).on_best_device()
    turn = upright_transform(field.warp.up)
    views = [field.capture.home, *field.capture.spiral(arguments.views)]
    views = [view.resized(arguments.scale) for view in views]
    own = [field.render(view)["rgb"].numpy() for view in views]
    rows = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        script = bundled(folder)
        chromium = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for count in arguments.counts:
            splats = splats_of(sample_surface(field, count, progress=True).moved(turn))
            for suffix in arguments.formats:
                path = folder / f"splats{suffix}"
                save_splats(splats, path)
                page = chromium.new_page()
                page.add_script_tag(content=script, type="module")
                page.wait_for_function("() => Boolean(window.picture)")
                data = base64.b64encode(path.read_bytes()).decode()
                shown = page.evaluate("([data, name]) => open_splats(data, name)", [data, path.name])
                errors = []
                for view, picture in zip(views, own, strict=True):
                    matrices = turn @ np.vstack([view.pose, [0, 0, 0, 1]]), projection(view)
                    columns = [matrix.T.ravel().tolist() for matrix in matrices]
                    url = page.evaluate("(view) => picture(...view)", [view.width, view.height, *columns])
                    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB")) / 255
                    errors.append(round(-10 * math.log10(((drawn - picture) ** 2).mean()), 2))
                    if arguments.pictures:
                        arguments.pictures.mkdir(parents=True, exist_ok=True)
                        both = (255 * np.hstack([drawn, picture])).round().astype(np.uint8)
                        Image.fromarray(both).save(arguments.pictures / f"{count}{suffix}-{len(errors)}.png")
                page.close()
                row = {"format": suffix, "splats": shown, "bytes": path.stat().st_size}
                rows.append(row | {"home_db": errors[0], "moved_db": round(float(np.mean(errors[1:])), 2)})
                print(json.dumps(rows[-1]), flush=True)
        chromium.close()
    if arguments.output:
        sizes = {"scene": arguments.scene.name, "bytes": arguments.scene.stat().st_size}
        write_figures(arguments.output, sizes | {"rows": rows})


if __name__ == "__main__":
    main()
