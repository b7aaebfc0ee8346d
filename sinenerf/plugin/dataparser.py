"""`llff-data`: nerfstudio's data parser for LLFF scenes.

nerfstudio imports this module while its own configs are still loading, so it must not import them, the data managers or
the engine; the methods' specifications live in `methods.py`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox
from nerfstudio.plugins.registry_dataparser import DataParserSpecification

from sinenerf.common.checks import check_positive
from sinenerf.plugin.edge import exit_on
from sinenerf.radiance import llff, poses

OTHER_KINDS = {
    "transforms.json": "nerfstudio-data",
    "transforms_train.json": "blender-data",
    "colmap/sparse/0": "colmap",
    "sparse/0": "colmap --colmap-path sparse/0",
    "sparse": "colmap --colmap-path sparse",
}
"""Files that identify other kinds of captures, and the names of their parsers."""


@dataclass
class LLFFDataParserConfig(DataParserConfig):
    """LLFF scenes: photographs and `poses_bounds.npy`."""

    _target: type = field(default_factory=lambda: LLFFDataParser)
    data: Path = Path("data/demo")
    """Folder with poses_bounds.npy and images."""
    downscale_factor: int | None = None
    """Train on images_<factor>, made from the larger ones if missing. Default: the largest no wider than `widest`."""
    widest: int = 1100
    """Largest width of the photographs in pixels, if no factor is given."""
    hold_every: int = 8
    """Hold out every n-th view for testing, starting with the first."""
    spherify: bool = False
    """For captures around an object: use a scene box instead of NDC."""
    box_limit: float = 8.0
    """With spherify, the largest half side of the scene box, as a multiple of the cameras' distance from the point they
    look at. Within this limit the box contains everything that they see up to their far bounds."""
    bound_factor: float = 0.75
    """The scene is scaled so that its nearest point lies at 1 / bound_factor, safely behind NDC's near plane at 1."""


@dataclass
class LLFFDataParser(DataParser):
    """Reads, checks and normalises an LLFF scene. An invalid scene ends the program with a one-line message."""

    config: LLFFDataParserConfig

    def _generate_dataparser_outputs(self, split: str = "train", **_) -> DataparserOutputs:
        with exit_on(llff.SceneError):
            return self._read(split)

    def _read(self, split: str) -> DataparserOutputs:
        config = self.config
        self._check_settings()
        table = config.data / "poses_bounds.npy"
        if not config.data.is_dir():
            raise llff.SceneError(f"{config.data}: no such folder. Give the one that holds poses_bounds.npy and images")
        if not table.is_file():
            _check_no_other_kind(config.data)
        views = llff.read_poses_bounds(table)
        factor = config.downscale_factor or llff.default_factor(config.data, float(views.hwf[0, 1]), config.widest)
        paths = llff.find_images(config.data, factor)
        height, width = llff.check_images(paths, views, table)
        train, test = llff.hold_out(len(paths), config.hold_every)
        if not config.spherify:
            _check_forward_facing(views, paths)
        focal = views.hwf[:, 2] * width / views.hwf[:, 1]
        normalise = poses.spherify if config.spherify else lambda v: poses.recentre(v, config.bound_factor)
        views, motion, scale = normalise(views)

        keep = train if split == "train" else test
        cameras = Cameras(
            camera_to_worlds=torch.from_numpy(views.camera_to_world[keep]).float(),
            fx=torch.from_numpy(focal[keep]).float()[:, None],
            fy=torch.from_numpy(focal[keep]).float()[:, None],
            cx=width / 2,
            cy=height / 2,
            width=width,
            height=height,
            camera_type=CameraType.PERSPECTIVE,
        )
        return DataparserOutputs(
            image_filenames=[paths[i] for i in keep],
            cameras=cameras,
            scene_box=SceneBox(torch.tensor(self._bounding_box(views), dtype=torch.float32)),
            metadata={} if config.spherify else {"ndc": _ndc(focal, width, height)},
            dataparser_transform=torch.from_numpy(motion).float(),
            dataparser_scale=scale,
        )

    def _check_settings(self) -> None:
        try:
            for name in ("downscale_factor", "widest", "bound_factor", "box_limit"):
                if (value := getattr(self.config, name)) is not None:
                    check_positive(f"--{name.replace('_', '-')}", value)
        except ValueError as error:
            raise llff.SceneError(str(error)) from None

    def _bounding_box(self, views: poses.PosedViews) -> np.ndarray:
        """Two corners, (2, 3), of the box around the frusta up to the far bound."""
        if self.config.spherify:
            corners = poses.frusta(views).reshape(-1, 3)
            seen = np.stack([np.minimum(corners.min(0), -1.0), np.maximum(corners.max(0), 1.0)])
            return seen.clip(-self.config.box_limit, self.config.box_limit)
        depth = float(views.bounds.max())
        tangent = 0.5 * (views.hwf[:, 1::-1] / views.hwf[:, 2:]).max(
            0
        )  # of half the horizontal and vertical field of view
        reach = np.abs(views.camera_to_world[:, :2, 3]).max(0) + depth * tangent
        return np.array([[-reach[0], -reach[1], -depth], [reach[0], reach[1], 0.0]])


def _check_no_other_kind(scene: Path) -> None:
    """Refuse a folder that holds a capture of another kind, naming its parser."""
    for name, parser in OTHER_KINDS.items():
        if (scene / name).exists():
            raise llff.SceneError(
                f"{scene}: has {name} but no poses_bounds.npy: name its parser, ns-train ... --data {scene} {parser}"
            )


def _check_forward_facing(views: poses.PosedViews, paths: list[Path]) -> None:
    """Refuse views that see anything behind their mean camera: NDC cannot represent it."""
    angles = poses.degrees_off(views.camera_to_world)
    corners = np.degrees(np.arctan(0.5 * np.hypot(views.hwf[:, 0], views.hwf[:, 1]) / views.hwf[:, 2]))
    view = int((angles + corners).argmax())
    if angles[view] + corners[view] >= 90:
        raise llff.SceneError(
            f"{paths[view]}: view {view} looks {angles[view]:.0f} degrees away from the mean of all views, and its "
            "corners 90 or more. For a capture around an object add llff-data --spherify True"
        )


def _ndc(focal: np.ndarray, width: int, height: int) -> dict[str, float]:
    """The parameters of `warps.NDC`, as plain numbers so that the metadata stays data."""
    return {"tan_x": width / (2 * float(focal.mean())), "tan_y": height / (2 * float(focal.mean())), "near": 1.0}


llff_data = DataParserSpecification(
    config=LLFFDataParserConfig(), description="LLFF scenes: photographs and poses_bounds.npy, with NDC rays"
)
