"""LLFF scenes on disk: reading and checking them. Arrays only, no nerfstudio.

A scene is a folder with photographs (`images`, or `images_4` for the same at a quarter of the size) and
`poses_bounds.npy`, one row a photograph in the order of the sorted file names: a 3x5 matrix [R | t | (H, W, f)], the
columns of R pointing down, right and backwards, H, W and f those of the full-size photograph, then near and far.
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
"""Pillow's names of the pixels that nerfstudio reads as they are: 8 bits each of colour, with alpha or not, or grey."""


class SceneError(ValueError):
    """A scene that cannot be trained on. The message is one line: the file, the view, what is wrong, how to mend it."""


def read_poses_bounds(path: Path) -> PosedViews:
    """Read and check `poses_bounds.npy`.

    Raises:
        SceneError: no such file; not a finite (N, 17) array; a rotation that is none; a bad size, focal length, bound.
    """
    if not path.is_file():
        raise SceneError(
            f"{path}: no such file. An LLFF scene has one; COLMAP poses become one with LLFF's imgs2poses.py"
        )
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise SceneError(f"{path}: not a readable .npy array of numbers ({error})") from None
    if table.ndim != 2 or table.shape[1] != 17 or not len(table) or not np.issubdtype(table.dtype, np.number):
        raise SceneError(f"{path}: shape {table.shape} of {table.dtype}, where (views, 17) numbers are needed")
    poses, bounds = table[:, :15].reshape(-1, 3, 5).astype(np.float64), table[:, 15:].astype(np.float64)
    for view in range(len(table)):
        _check_view(f"{path}: view {view}", poses[view], bounds[view])
    down, right, back, position, hwf = np.moveaxis(poses, 2, 0)
    return PosedViews(np.stack([right, -down, back, position], axis=2), hwf, bounds)


def _check_view(where: str, pose: np.ndarray, bounds: np.ndarray) -> None:
    if not (np.isfinite(pose).all() and np.isfinite(bounds).all()):
        raise SceneError(f"{where}: NaN or infinite numbers. Run the pose estimation again, or remove the view")
    rotation = pose[:, :3]
    error = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if error > 1e-2:
        raise SceneError(f"{where}: the rotation's columns are not orthonormal (off by {error:.2g}, 0.01 allowed)")
    if np.linalg.det(rotation) < 0:
        raise SceneError(
            f"{where}: the rotation is a mirror image (determinant -1): axes must be down, right, backwards"
        )
    if (pose[:, 4] <= 0).any():
        raise SceneError(f"{where}: height, width, focal length {pose[:, 4].tolist()} must be positive")
    if not 0 < bounds[0] < bounds[1]:
        raise SceneError(f"{where}: near {bounds[0]:g} and far {bounds[1]:g}, where 0 < near < far is needed")


def find_images(scene: Path, factor: int) -> list[Path]:
    """The photographs at 1/factor of the full size, sorted, from `images_<factor>` (or `images` for factor 1).

    A missing `images_<factor>` is made from the largest photographs there are.

    Raises:
        SceneError: there are no photographs to take or to shrink.
    """
    if not scene.is_dir():
        raise SceneError(f"{scene}: no such folder. Give the folder that holds poses_bounds.npy and images")
    folder = image_folder(scene, factor)
    if not list_images(folder):
        smaller = [n for n in range(1, factor) if factor % n == 0 and list_images(image_folder(scene, n))]
        if not smaller:
            raise SceneError(f"{folder}: no photographs there, and none in {image_folder(scene, 1)} to shrink")
        shrink_images(image_folder(scene, smaller[0]), folder, factor // smaller[0])
    return list_images(folder)


def default_factor(scene: Path, full_width: float, widest: int) -> int:
    """The least reduction whose photographs are at most `widest` pixels wide: one that is there, or a power of two."""
    there = [n for n in range(1, 65) if list_images(image_folder(scene, n)) and full_width / n <= widest]
    if there:
        return there[0]
    return 2 ** max(0, int(np.ceil(np.log2(full_width / widest))))


def image_folder(scene: Path, factor: int) -> Path:
    """Where the photographs at 1/factor of the full size lie."""
    return scene / ("images" if factor == 1 else f"images_{factor}")


def list_images(folder: Path) -> list[Path]:
    """The photographs in a folder, sorted; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))


def shrink_images(source: Path, target: Path, factor: int) -> None:
    """Write every photograph of `source` at 1/factor of its size to `target`, as PNG: all of them or none.

    Raises:
        SceneError: a photograph cannot be taken or has too few pixels, two are named alike, or the disk takes none.
    """
    import tempfile

    from PIL import Image

    named: dict[str, Path] = {}
    for path in list_images(source):
        if (other := named.setdefault(path.stem.casefold(), path)) != path:  # some disks ignore the case
            raise SceneError(f"{path}: {other.name} would have the same name in {target}: rename one of them")
    try:
        # a folder of its own for each process: several trainings of one scene may begin together
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            partial = Path(folder) / target.name
            partial.mkdir()
            for path, image in load_images(list_images(source)):
                size = (round(image.width / factor), round(image.height / factor))
                if 0 in size:
                    raise SceneError(f"{path}: {image.width}x{image.height} pixels leave none at 1/{factor} of it")
                image.resize(size, Image.Resampling.BOX).save(partial / f"{path.stem}.png")
            partial.rename(target)
    except OSError as error:
        if list_images(target):  # another was sooner
            return
        raise SceneError(
            f"{target}: cannot be written ({error}). Make it yourself, or choose a size that is there"
        ) from None


def load_images(paths: list[Path]) -> Iterator[tuple[Path, "Image"]]:
    """Each photograph of a scene, decoded.

    Raises:
        SceneError: a photograph cannot be taken, or some are transparent where others are not.
    """
    first = None
    for path in paths:
        image = load_image(path)
        first = first or image.mode
        check_alpha(path, image, first)
        yield path, image


def check_alpha(path: Path, image: "Image", first: str) -> None:
    """Whether a photograph is transparent where the first of its scene, of mode `first`, is.

    Raises:
        SceneError: it is not.
    """
    if (image.mode == "RGBA") != (first == "RGBA"):
        raise SceneError(
            f"{path}: is {image.mode}, the first photograph {first}: all must have an alpha channel, or none"
        )


def load_image(path: Path) -> "Image":
    """Decode a whole photograph as a PIL image: its pixels as they lie, whatever its EXIF says of turning them, since
    so COLMAP and nerfstudio read it.

    Raises:
        SceneError: the file is truncated or no image, or its pixels are of a kind that nerfstudio misreads.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SceneError(f"{path}: cannot be decoded ({error}). Copy the photograph again") from None
    if image.mode not in MODES:
        raise SceneError(f"{path}: its pixels are {image.mode}, not {', '.join(MODES)}: save it as 8-bit RGB")
    return image


def check_images(paths: list[Path], views: PosedViews, table: Path) -> tuple[int, int]:
    """Decode every photograph, compare their number and sizes with the poses, and return (height, width).

    Raises:
        SceneError: counts, sizes, proportions or alpha channels differ, a photograph is broken, or there is one view.
    """
    if len(paths) != len(views.bounds):
        folder = paths[0].parent
        raise SceneError(
            f"{folder}: {len(paths)} photographs, but {len(views.bounds)} views in {table}: they must be equal"
        )
    if len(paths) < 2:
        raise SceneError(f"{table}: a single view. At least two are needed, one to train on and one to hold out")
    sizes = [image.size for _, image in load_images(paths)]
    for view, size in enumerate(sizes):
        if size != sizes[0]:
            raise SceneError(
                f"{paths[view]}: view {view} is {size[0]}x{size[1]}, the first is {sizes[0][0]}x{sizes[0][1]}: "
                "all photographs must have one size"
            )
        height, width, _ = views.hwf[view]
        if abs(size[0] / size[1] - width / height) > 0.02 * width / height:
            raise SceneError(
                f"{paths[view]}: view {view} is {size[0]}x{size[1]}, but its pose is of a {width:g}x{height:g} one"
            )
    return sizes[0][1], sizes[0][0]


def hold_out(count: int, every: int) -> tuple[np.ndarray, np.ndarray]:
    """(training, held-out) indices: every n-th view is held out, starting with the first (the LLFF protocol).

    Raises:
        SceneError: one of the two sets would be empty.
    """
    if every < 2:
        raise SceneError(
            f"hold-out: every {every}th of {count} views leaves nothing to test or to train on: give 2 or more"
        )
    held = np.arange(0, count, every)
    return np.setdiff1d(np.arange(count), held), held
