"""nerfstudio's data manager, which says in one line what cannot be trained on, whichever parser has read it."""

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
from sinenerf.radiance.llff import SceneError, check_alpha, load_image


class Photographs(InputDataset):
    """The photographs and cameras of a capture, or of what is held out of it."""

    def get_numpy_image(self, image_idx: int) -> np.ndarray:
        """A photograph, (height, width, 3 or 4) of uint8.

        Raises:
            SceneError: as `load_image` and `check_alpha`, whose checks nerfstudio's own reading has not.
        """
        path = self.image_filenames[image_idx]
        image = load_image(path)
        if self._dataparser_outputs.alpha_color is None:  # else nerfstudio lays transparent ones on that colour
            check_alpha(path, image, self._first)
        if self.scale_factor != 1.0:
            size = (int(image.width * self.scale_factor), int(image.height * self.scale_factor))
            image = image.resize(size, Image.Resampling.BILINEAR)
        pixels = np.array(image)
        return pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, axis=2)

    @cached_property
    def _first(self) -> str:
        return load_image(self.image_filenames[0]).mode


class SineDataManager(VanillaDataManager[Photographs]):
    """Photographs and cameras that are checked as they are read. Those that cannot be trained on end the program."""

    def __init__(self, config: VanillaDataManagerConfig, **options) -> None:
        try:
            super().__init__(config, **options)
            for part in (self.train_dataset, self.eval_dataset):
                check_cameras(part.cameras, part.image_filenames, self.config.data)
        except SceneError as error:
            raise SystemExit(f"sinenerf: {error}") from None
        except (OSError, AssertionError, LookupError, TypeError, ValueError) as error:
            # of the parser: nerfstudio's own check little of what they read
            reason = " ".join(str(error).split())
            raise SystemExit(
                f"sinenerf: {self.config.data}: its data parser cannot read it ({type(error).__name__}: {reason})"
            ) from None
        if self.test_mode == "val":  # a training, as opposed to what comes after it
            say_what_is_cut_off(self.dataparser_config, self.train_dataset.cameras, self.train_dataset.scene_box)


def check_cameras(cameras: Cameras, paths: list[Path], data: Path) -> None:
    """Whether all cameras are finite.

    Args:
        cameras: as a parser has made them.
        paths: their photographs.
        data: where the parser has read them.

    Raises:
        SceneError: naming the photograph whose camera is not.
    """
    lens = [cameras.fx, cameras.fy, cameras.cx, cameras.cy]
    broken = ~torch.isfinite(torch.cat([cameras.camera_to_worlds.flatten(1), *lens], dim=1)).all(1)
    if not broken.any():
        return
    culprit = str(paths[int(broken.nonzero()[0])])
    if broken.all():  # parsers subtract the mean of all poses, so that one of them spoils the others
        culprit = _broken_frame(data) or f"{data}: one of its views"
    raise SceneError(f"{culprit}: NaN or infinite numbers in its pose or focal length. Correct or remove it")


def _broken_frame(data: Path) -> str | None:
    """The frame of a transforms.json whose matrix is not finite."""
    file = data if data.suffix == ".json" else data / "transforms.json"
    if file.is_file():
        for frame in json.loads(file.read_text())["frames"]:
            if not np.isfinite(np.array(frame["transform_matrix"], dtype=np.float64)).all():
                return f"{file}: {frame['file_path']}"
    return None


def say_what_is_cut_off(parser: DataParserConfig, cameras: Cameras, box: SceneBox) -> None:
    """One line where the scene box ends with the cameras that nerfstudio has scaled into it, as it does by default."""
    middle, half = box.aabb.mean(0), (box.aabb[1] - box.aabb[0]) / 2
    reach = float(((cameras.camera_to_worlds[:, :, 3].cpu() - middle) / half).abs().max())
    if hasattr(parser, "scene_scale") and 0.5 < reach < 1.001:
        say(
            f"all cameras lie inside the scene box, +-{float(half.max()):g}, and what is farther away is cut off. "
            "Unless there is nothing, add --scene-scale 16 after the parser's name, or 4 for a capture around an object"
        )
