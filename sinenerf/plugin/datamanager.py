"""nerfstudio's data manager with checks: data of any parser that cannot be trained on is refused with one line."""

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManager, VanillaDataManagerConfig
from nerfstudio.data.dataparsers.base_dataparser import DataParserConfig
from nerfstudio.data.datasets.base_dataset import InputDataset
from nerfstudio.data.scene_box import SceneBox
from PIL import Image

from sinenerf.common.console import say
from sinenerf.plugin.edge import exit_on
from sinenerf.radiance.llff import SceneError, check_alpha, load_image


class Photographs(InputDataset):
    """The photographs and cameras of a capture, or of its held-out views."""

    def get_numpy_image(self, image_idx: int) -> np.ndarray:
        """A photograph, (height, width, 3 or 4) of uint8.

        Raises:
            SceneError: as `load_image` and `check_alpha`; nerfstudio itself does not check photographs.
        """
        path = self.image_filenames[image_idx]
        image = load_image(path)
        if (
            self._dataparser_outputs.alpha_color is None
        ):  # otherwise nerfstudio blends transparent photographs with that colour
            check_alpha(path, image, self._first_mode)
        if self.scale_factor != 1.0:
            size = (int(image.width * self.scale_factor), int(image.height * self.scale_factor))
            image = image.resize(size, Image.Resampling.BILINEAR)
        pixels = np.array(image)
        return pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, axis=2)

    @cached_property
    def _first_mode(self) -> str:
        """Pillow's mode of the first photograph, with or without alpha."""
        return load_image(self.image_filenames[0]).mode


class SineDataManager(VanillaDataManager[Photographs]):
    """Checks photographs and cameras as they are read. Invalid ones end the program with a one-line message."""

    def __init__(self, config: VanillaDataManagerConfig, **options) -> None:
        with exit_on(SceneError):
            try:
                super().__init__(config, **options)
                for part in (self.train_dataset, self.eval_dataset):
                    check_cameras(part.cameras, part.image_filenames, self.config.data)
            except SceneError:
                raise
            except (OSError, AssertionError, LookupError, TypeError, ValueError) as error:
                # nerfstudio's parsers check little of what they read
                reason = " ".join(str(error).split())
                raise SceneError(
                    f"{self.config.data}: its data parser cannot read it ({type(error).__name__}: {reason})"
                ) from None
        if self.test_mode == "val":  # only in a training
            warn_of_tight_box(self.dataparser_config, self.train_dataset.cameras, self.train_dataset.scene_box)


def check_cameras(cameras: Cameras, paths: list[Path], data: Path) -> None:
    """Check that all cameras are finite.

    Args:
        cameras: as a parser returned them.
        paths: their photographs.
        data: the folder or file that the parser read them from.

    Raises:
        SceneError: naming the photograph whose camera is not finite.
    """
    lens = [cameras.fx, cameras.fy, cameras.cx, cameras.cy]
    broken = ~torch.isfinite(torch.cat([cameras.camera_to_worlds.flatten(1), *lens], dim=1)).all(1)
    if not broken.any():
        return
    culprit = str(paths[int(broken.nonzero()[0])])
    if broken.all():  # parsers subtract the mean of all poses, so one bad pose spoils the others
        culprit = _broken_frame(data) or f"{data}: one of its views"
    raise SceneError(f"{culprit}: NaN or infinite numbers in its pose or focal length. Correct or remove it")


def _broken_frame(data: Path) -> str | None:
    """The first frame of a transforms.json whose matrix is not finite; None without such a file or frame."""
    file = data if data.suffix == ".json" else data / "transforms.json"
    if file.is_file():
        for frame in json.loads(file.read_text())["frames"]:
            if not np.isfinite(np.array(frame["transform_matrix"], dtype=np.float64)).all():
                return f"{file}: {frame['file_path']}"
    return None


def warn_of_tight_box(parser: DataParserConfig, cameras: Cameras, box: SceneBox) -> None:
    """Print a warning if the scene box ends at the cameras, which nerfstudio scales into +-1 by default."""
    middle, half = box.aabb.mean(0), (box.aabb[1] - box.aabb[0]) / 2
    reach = float(((cameras.camera_to_worlds[:, :, 3].cpu() - middle) / half).abs().max())
    if hasattr(parser, "scene_scale") and 0.5 < reach < 1.001:
        say(
            f"all cameras lie inside the scene box, +-{float(half.max()):g}, and everything farther away is cut off. "
            "Add --scene-scale 16 after the parser's name, or 4 for a capture around an object, unless the scene ends "
            "there"
        )
