"""Reading and checking LLFF scenes, without nerfstudio.

A scene is a folder with photographs (`images`, or `images_4` for the same at a quarter of the size) and
`poses_bounds.npy`. This has one row per photograph, in the order of the sorted file names: a 3x5 matrix
[R | t | (H, W, f)], then near and far. The columns of R point down, right and backwards; H, W and f are the height,
width and focal length of the full-size photograph.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.radiance.poses import PosedViews

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg"}
MODES = ("RGB", "RGBA", "L")
"""Pillow's names of the pixel formats that nerfstudio reads correctly: 8 bits per channel, colour or grey."""


class SceneError(ValueError):
    """A scene that cannot be trained on. The message, one line, names the file, the view, the fault and its remedy."""


def read_poses_bounds(path: Path) -> PosedViews:
    """Read and check `poses_bounds.npy`.

    Raises:
        SceneError: the file does not exist or is not a finite (N, 17) array; a rotation, size, focal length or bound is
            invalid.
    """
    if not path.is_file():
        raise SceneError(
            f"{path}: no such file. Every LLFF scene has one; LLFF's imgs2poses.py makes it from COLMAP poses"
        )
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise SceneError(f"{path}: not a readable .npy array of numbers ({error})") from None
    if table.ndim != 2 or table.shape[1] != 17 or not len(table) or not np.issubdtype(table.dtype, np.number):
        raise SceneError(f"{path}: has shape {table.shape} of {table.dtype}, but must be (views, 17) numbers")
    poses, bounds = table[:, :15].reshape(-1, 3, 5).astype(np.float64), table[:, 15:].astype(np.float64)
    for view in range(len(table)):
        _check_view(f"{path}: view {view}", poses[view], bounds[view])
    down, right, back, position, hwf = np.moveaxis(poses, 2, 0)
    return PosedViews(np.stack([right, -down, back, position], axis=2), hwf, bounds)


def _check_view(where: str, pose: np.ndarray, bounds: np.ndarray) -> None:
    if not (np.isfinite(pose).all() and np.isfinite(bounds).all()):
        raise SceneError(f"{where}: has NaN or infinite numbers. Run the pose estimation again, or remove the view")
    rotation = pose[:, :3]
    error = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if error > 1e-2:
        raise SceneError(f"{where}: the rotation's columns are not orthonormal (off by {error:.2g}, 0.01 allowed)")
    if np.linalg.det(rotation) < 0:
        raise SceneError(
            f"{where}: the rotation is a mirror image (determinant -1): its axes must be down, right, backwards"
        )
    if (pose[:, 4] <= 0).any():
        raise SceneError(f"{where}: height, width, focal length {pose[:, 4].tolist()} must be positive")
    if not 0 < bounds[0] < bounds[1]:
        raise SceneError(f"{where}: near {bounds[0]:g} and far {bounds[1]:g} must satisfy 0 < near < far")


def find_images(scene: Path, factor: int) -> list[Path]:
    """The photographs at 1/factor of the full size, sorted, from `images_<factor>` (or `images` for factor 1).

    A missing `images_<factor>` is made from the largest suitable photographs.

    Raises:
        SceneError: the scene has no photographs of this size, nor larger ones to shrink.
    """
    if not scene.is_dir():
        raise SceneError(f"{scene}: no such folder. Give the folder that holds poses_bounds.npy and images")
    folder = image_folder(scene, factor)
    if not list_images(folder):
        smaller = [n for n in range(1, factor) if factor % n == 0 and list_images(image_folder(scene, n))]
        if not smaller:
            raise SceneError(f"{folder}: has no photographs, and {image_folder(scene, 1)} has none to shrink")
        shrink_images(image_folder(scene, smaller[0]), folder, factor // smaller[0])
    return list_images(folder)


def default_factor(scene: Path, full_width: float, widest: int) -> int:
    """The smallest factor whose photographs are at most `widest` pixels wide: an existing one, else a power of two."""
    existing = [n for n in range(1, 65) if list_images(image_folder(scene, n)) and full_width / n <= widest]
    if existing:
        return existing[0]
    return 2 ** max(0, int(np.ceil(np.log2(full_width / widest))))


def image_folder(scene: Path, factor: int) -> Path:
    """The folder of the photographs at 1/factor of the full size."""
    return scene / ("images" if factor == 1 else f"images_{factor}")


def list_images(folder: Path) -> list[Path]:
    """The photographs in a folder, sorted; empty if the folder does not exist."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))


def shrink_images(source: Path, target: Path, factor: int) -> None:
    """Write every photograph of `source` at 1/factor of its size to `target`, as PNG: all of them or none.

    Raises:
        SceneError: a photograph is invalid or too small, two would have the same name, or `target` cannot be written.
    """
    import tempfile

    from PIL import Image

    named: dict[str, Path] = {}
    for path in list_images(source):
        if (other := named.setdefault(path.stem.casefold(), path)) != path:  # some file systems ignore case
            raise SceneError(f"{path}: would have the same name in {target} as {other.name}: rename one of them")
    try:
        # one folder per process: several trainings of a scene may start at once
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            partial = Path(folder) / target.name
            partial.mkdir()
            for path, image in load_images(list_images(source)):
                size = (round(image.width / factor), round(image.height / factor))
                if 0 in size:
                    raise SceneError(
                        f"{path}: {image.width}x{image.height} pixels are too few for 1/{factor} of the size"
                    )
                image.resize(size, Image.Resampling.BOX).save(partial / f"{path.stem}.png")
            partial.rename(target)
    except OSError as error:
        if list_images(target):  # another process has written it first
            return
        raise SceneError(
            f"{target}: cannot be written ({error}). Make it yourself, or choose an existing size"
        ) from None


def load_images(paths: list[Path]) -> Iterator[tuple[Path, "Image"]]:
    """Decode each photograph of a scene.

    Raises:
        SceneError: a photograph is invalid, or only some have an alpha channel.
    """
    first = None
    for path in paths:
        image = load_image(path)
        first = first or image.mode
        check_alpha(path, image, first)
        yield path, image


def check_alpha(path: Path, image: "Image", first: str) -> None:
    """Check that a photograph has an alpha channel if and only if the first of its scene, of mode `first`, has one.

    Raises:
        SceneError: one of the two has an alpha channel and the other has not.
    """
    if (image.mode == "RGBA") != (first == "RGBA"):
        raise SceneError(
            f"{path}: is {image.mode}, but the first photograph is {first}: all must have an alpha channel, or none"
        )


def load_image(path: Path) -> "Image":
    """Decode a whole photograph as a PIL image. Its EXIF orientation is ignored, as in COLMAP and nerfstudio.

    Raises:
        SceneError: the file is truncated or not an image, or nerfstudio misreads its pixel format.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
    except IsADirectoryError:
        raise SceneError(f"{path}: is a folder, though its name is that of a photograph. Rename or remove it") from None
    except Image.UnidentifiedImageError:
        raise SceneError(f"{path}: is no photograph: its content is of no known format. Remove or replace it") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SceneError(f"{path}: cannot be decoded ({error}). Copy the photograph again") from None
    if image.mode not in MODES:
        raise SceneError(f"{path}: its pixels are {image.mode}, not one of {', '.join(MODES)}: save it as 8-bit RGB")
    return image


def check_images(paths: list[Path], views: PosedViews, table: Path) -> tuple[int, int]:
    """Decode every photograph, compare their number and sizes with the poses of `table`, and return (height, width).

    Raises:
        SceneError: counts, sizes, proportions or alpha channels differ, a photograph is broken, or there is only one.
    """
    if len(paths) != len(views.bounds):
        folder = paths[0].parent
        raise SceneError(
            f"{folder}: {len(paths)} photographs, but {len(views.bounds)} views in {table}: there must be as many"
        )
    if len(paths) < 2:
        raise SceneError(f"{table}: has a single view. At least two are needed, one to train on and one to hold out")
    sizes = [image.size for _, image in load_images(paths)]
    for view, size in enumerate(sizes):
        if size != sizes[0]:
            raise SceneError(
                f"{paths[view]}: view {view} is {size[0]}x{size[1]}, but the first is {sizes[0][0]}x{sizes[0][1]}: "
                "all photographs must have the same size"
            )
        height, width, _ = views.hwf[view]
        if abs(size[0] / size[1] - width / height) > 0.02 * width / height:
            raise SceneError(
                f"{paths[view]}: view {view} is {size[0]}x{size[1]}, but its pose is for {width:g}x{height:g}: "
                "the proportions must agree"
            )
    return sizes[0][1], sizes[0][0]


def hold_out(count: int, every: int) -> tuple[np.ndarray, np.ndarray]:
    """(training, held-out) indices: every n-th view, starting with the first, is held out (the LLFF protocol).

    Raises:
        SceneError: one of the two sets would be empty.
    """
    if every < 2:
        raise SceneError(
            f"hold-out: every {every}th of {count} views leaves nothing to test or to train on: give 2 or more"
        )
    held_out = np.arange(0, count, every)
    return np.setdiff1d(np.arange(count), held_out), held_out
