"""`sine-data`: the data parser of sine-nerf, for captures of every kind that `sinenerf.photographs` reads.

nerfstudio imports this module while its own configs are still loading, so it must not import them, the data managers or
the engine; the methods' specifications live in `methods.py`.
"""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.plugins.registry_dataparser import DataParserSpecification

from sinenerf.common.checks import check_positive
from sinenerf.photographs.posed_photographs import FISHEYE, PosedPhotographs, hold_out
from sinenerf.photographs.reading import read_photographs
from sinenerf.plugin.edge import exit_on
from sinenerf.radiance.placement import Placement, WarpKind, corner_angles, place
from sinenerf.radiance.warps import NDC, Contraction


@dataclass
class SineDataParserConfig(DataParserConfig):
    """LLFF folders, transforms.json of nerfstudio, Blender and instant-ngp, and COLMAP models."""

    _target: type = field(default_factory=lambda: SineDataParser)
    data: Path = Path("data/demo")
    """Folder of the capture, or its transforms.json."""
    downscale_factor: int | None = None
    """Train at 1/factor of the photographs' size; images_<factor> is made if missing."""
    widest: int = 1100
    """Largest width in pixels, if no factor is given: wider photographs are shrunk to it as they are read."""
    hold_every: int = 8
    """Hold out every n-th view for testing, starting with the first, unless the capture itself names a split."""
    warp: WarpKind = "auto"
    """ndc: photographs that face one way; box: an object without background; contraction: anything else. auto chooses
    by the cameras and the sparse points."""
    strict: bool = False
    """Refuse a capture of which photographs are missing, instead of going on with the others."""


@dataclass
class SineDataParser(DataParser):
    """Reads and checks a capture and places its scene. An invalid one ends the program with a one-line message."""

    config: SineDataParserConfig

    @cached_property
    def photographs(self) -> PosedPhotographs:
        """All views, in the capture's coordinates.

        Raises:
            ValueError: the capture or a setting is invalid.
        """
        config = self.config
        for name in ("downscale_factor", "widest"):
            if (value := getattr(config, name)) is not None:
                check_positive(f"--{name.replace('_', '-')}", value)
        return read_photographs(config.data, config.downscale_factor, config.widest, config.strict)

    @cached_property
    def placement(self) -> Placement:
        """Where the scene lies, and its warp."""
        views = self.photographs
        try:
            return place(
                views.camera_to_world,
                views.tangents,
                views.points,
                views.bounds,
                self.config.warp,
                views.transparent,
                corners=corner_angles(views),
            )
        except ValueError as error:
            raise ValueError(f"{views.source}: {error}") from None

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines for the user: what was settled, and what is trained on."""
        views, placement = self.photographs, self.placement
        trained, held_out = hold_out(views, self.config.hold_every)
        width, height = views.size(int(trained[0]))
        warp = type(placement.warp).__name__
        return (
            *views.notes,
            f"{views.source}: {len(trained)} photographs of {width}x{height} pixels to train on, {len(held_out)} held "
            f"out; warp {warp.lower()}: {placement.reason}",
        )

    def _generate_dataparser_outputs(self, split: str = "train", **_) -> DataparserOutputs:
        with exit_on(ValueError, OSError):
            return self._read(split)

    def _read(self, split: str) -> DataparserOutputs:
        train, test = hold_out(self.photographs, self.config.hold_every)
        placement = self.placement
        views = self.photographs.chosen(train if split == "train" else test)
        return DataparserOutputs(
            image_filenames=list(views.paths),
            cameras=nerfstudio_cameras(views, placement.moved(views.camera_to_world)),
            scene_box=SceneBox(torch.tensor(placement.extent, dtype=torch.float32)),
            mask_filenames=None if views.masks is None else list(views.masks),  # type: ignore[arg-type]
            metadata={**_warp_metadata(placement), "reason": placement.reason, "transparent": views.transparent},
            dataparser_transform=torch.from_numpy(placement.motion).float(),
            dataparser_scale=placement.scale,
        )


def nerfstudio_cameras(views: PosedPhotographs, poses: np.ndarray) -> Cameras:
    """nerfstudio's cameras of some views.

    Args:
        poses: (N, 3, 4) camera to world, in the scene's coordinates.
    """

    def column(values: np.ndarray, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.from_numpy(values).to(dtype)[:, None]

    return Cameras(
        camera_to_worlds=torch.from_numpy(poses).float(),
        fx=column(views.fx),
        fy=column(views.fy),
        cx=column(views.cx),
        cy=column(views.cy),
        width=column(views.width, torch.int32),
        height=column(views.height, torch.int32),
        distortion_params=None if views.distortion is None else torch.from_numpy(views.distortion).float(),
        camera_type=CameraType.FISHEYE if views.model == FISHEYE else CameraType.PERSPECTIVE,
    )


def _warp_metadata(placement: Placement) -> dict[str, Any]:
    """The numbers of the warp as plain data; a box is the scene box itself."""
    if isinstance(placement.warp, NDC):
        return {"ndc": asdict(placement.warp)}
    if isinstance(placement.warp, Contraction):
        return {"contraction": asdict(placement.warp)}
    return {}


sine_data = DataParserSpecification(
    config=SineDataParserConfig(),
    description="LLFF folders, transforms.json of nerfstudio, Blender and instant-ngp, COLMAP models",
)
