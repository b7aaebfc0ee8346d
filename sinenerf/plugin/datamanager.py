"""nerfstudio's data manager with checks: data of any parser that cannot be trained on is refused with one line."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.data.datamanagers.base_datamanager import (
    VanillaDataManager,
    VanillaDataManagerConfig,
    variable_res_collate,
)
from nerfstudio.data.dataparsers.base_dataparser import DataParserConfig
from nerfstudio.data.datasets.base_dataset import InputDataset
from nerfstudio.data.pixel_samplers import PixelSampler
from nerfstudio.data.scene_box import SceneBox
from torch import Tensor

from sinenerf.common.console import say
from sinenerf.photographs.pictures import decode, load_mask, load_picture
from sinenerf.photographs.posed_photographs import CaptureError
from sinenerf.plugin.dataparser import SineDataParser
from sinenerf.plugin.edge import exit_on
from sinenerf.plugin.settled_parsers import settled

PARSER_ERRORS = (OSError, AssertionError, LookupError, TypeError, ValueError, RuntimeError, ArithmeticError)
"""What nerfstudio's parsers, which check little of what they read, raise for invalid captures."""
ROUNDS = 50
"""Draws after which the white pixels of a nearly black mask are listed."""


class Photographs(InputDataset):
    """The photographs and cameras of a capture, or of its held-out views."""

    def get_numpy_image(self, image_idx: int) -> np.ndarray:
        """A photograph in the size of its camera, (height, width, 3 or 4) of uint8.

        Raises:
            CaptureError: as `load_picture`; nerfstudio itself does not check photographs.
        """
        return np.array(load_picture(self.image_filenames[image_idx], self._size(image_idx), self.transparent))

    def get_data(self, image_idx: int, image_type: str = "float32") -> dict:
        """A photograph, and its mask if any view has one.

        Raises:
            CaptureError: one of them cannot be used.
        """
        image = self.get_image_float32(image_idx) if image_type == "float32" else self.get_image_uint8(image_idx)
        data = {"image_idx": image_idx, "image": image}
        if (masks := self._dataparser_outputs.mask_filenames) is not None:
            data["mask"] = self._mask(masks[image_idx], image_idx)
        return {**data, **self.get_metadata(data)}

    def _size(self, index: int) -> tuple[int, int]:
        return int(self.cameras.width[index]), int(self.cameras.height[index])

    def _mask(self, path: Path | None, index: int) -> torch.Tensor:
        """(height, width, 1) of bool: true where the photograph counts."""
        width, height = self._size(index)
        if path is None:
            return torch.ones(height, width, 1, dtype=torch.bool)
        return torch.from_numpy(load_mask(path, (width, height)))[..., None]

    @cached_property
    def transparent(self) -> bool:
        """Whether all photographs are read with an alpha channel."""
        known = self.metadata.get("transparent")
        return any(decode(p).has_transparency_data for p in self.image_filenames) if known is None else bool(known)


class PixelsThatCount(PixelSampler):
    """Draws pixels where masks are white, from photographs of one size or several.

    nerfstudio's own rejection fails for a single mask, and without rejection it lists all white pixels in each step.
    Here they are listed only where masks are nearly black.
    """

    def rejection_sample_mask(
        self, mask: Tensor, num_samples: int, num_images: int, image_height: int, image_width: int, device: torch.device
    ) -> Tensor:
        """(num_samples, 3) indices: photograph, row, column.

        Args:
            mask: (num_images, image_height, image_width, 1), white somewhere, as `load_mask` checks.
            device: of the indices.
        """
        size = torch.tensor([num_images, image_height, image_width], device=mask.device)
        drawn = size.new_empty(0, 3)
        for _ in range(ROUNDS):
            more = (torch.rand(num_samples, 3, device=mask.device) * size).long()
            photograph, row, column = more.unbind(1)
            drawn = torch.cat([drawn, more[mask[photograph, row, column, 0]]])
            if len(drawn) >= num_samples:
                return drawn[:num_samples].to(device)
        white = mask[..., 0].nonzero()
        return white[torch.randint(len(white), (num_samples,), device=mask.device)].to(device)


class SineDataManager(VanillaDataManager[Photographs]):
    """Checks photographs and cameras as they are read. Invalid ones end the program with a one-line message."""

    def __init__(self, config: VanillaDataManagerConfig, **options) -> None:
        data = config.data or config.dataparser.data
        with exit_on(CaptureError):
            try:
                with settled(config.dataparser, Path(data)) as (parser, views):
                    sampler = replace(config.pixel_sampler, _target=PixelsThatCount)
                    super().__init__(replace(config, data=None, dataparser=parser, pixel_sampler=sampler), **options)
                self.config, self.dataparser_config = config, config.dataparser
                config.data = config.dataparser.data = Path(data)
                for part in (self.train_dataset, self.eval_dataset):
                    check_parsed_cameras(part.cameras, part.image_filenames)
            except CaptureError:
                raise
            except PARSER_ERRORS as error:
                reason = " ".join(str(error).split())
                raise CaptureError(
                    f"{data}: its data parser cannot read it ({type(error).__name__}: {reason})"
                ) from None
        if self.test_mode == "val":  # only in a training
            notes = self.dataparser.notes if isinstance(self.dataparser, SineDataParser) else views and views.notes
            for note in notes or ():
                say(note)
            warn_of_tight_box(self.dataparser_config, self.train_dataset.cameras, self.train_dataset.scene_box)

    def create_eval_dataset(self) -> Photographs:
        """The photographs that `sinenerf eval` scores: for blender-data those of transforms_test.json, where
        nerfstudio takes those of transforms_val.json during a training."""
        self.test_split = "test"
        return super().create_eval_dataset()

    def setup_eval(self) -> None:
        """As nerfstudio, which looks only at the training photographs to see whether sizes differ."""
        cameras = self.eval_dataset.cameras
        if (cameras.width != cameras.width[0]).any() or (cameras.height != cameras.height[0]).any():
            self.config.collate_fn = variable_res_collate
        super().setup_eval()


def check_parsed_cameras(cameras: Cameras, paths: list[Path]) -> None:
    """Check that all cameras are finite, whatever parser they come from.

    Raises:
        CaptureError: naming the photograph whose camera is not finite.
    """
    lens = [cameras.fx, cameras.fy, cameras.cx, cameras.cy]
    broken = ~torch.isfinite(torch.cat([cameras.camera_to_worlds.flatten(1), *lens], dim=1)).all(1)
    if broken.any():
        culprit = paths[int(broken.nonzero()[0])]
        raise CaptureError(f"{culprit}: NaN or infinite numbers in its pose or focal length. Correct or remove it")


def warn_of_tight_box(parser: DataParserConfig, cameras: Cameras, box: SceneBox) -> None:
    """Print a warning if the scene box ends at the cameras, which nerfstudio scales into +-1 by default."""
    middle, half = box.aabb.mean(0), (box.aabb[1] - box.aabb[0]) / 2
    reach = float(((cameras.camera_to_worlds[:, :, 3].cpu() - middle) / half).abs().max())
    if hasattr(parser, "scene_scale") and 0.5 < reach < 1.001:
        say(
            f"all cameras lie inside the scene box, +-{float(half.max()):g}, and everything farther away is cut off. "
            "Leave the parser's name out: sine-data finds the scene's extent itself. Or add --scene-scale 16 after the "
            "parser's name, or 4 for a capture around an object"
        )
