"""nerfstudio's own data parsers on captures that `sinenerf.photographs` has checked and settled.

They check little of what they read. `nerfstudio-data` is given a transforms.json with complete cameras and absolute
paths. `colmap` reads its model itself, and what it returns is given the pictures and the lenses that were settled.
Neither looks for smaller pictures itself: `colmap` would ask a question, and call ffmpeg.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs

from sinenerf.photographs.camera_numbers import read_frames
from sinenerf.photographs.colmap_model import find_model
from sinenerf.photographs.posed_photographs import CaptureError, PosedPhotographs, hold_out
from sinenerf.photographs.reading import read_photographs
from sinenerf.plugin.dataparser import cameras_of

KEPT = ("applied_scale", "orientation_override", "fisheye_crop_radius")
"""Keys of a transforms.json that nerfstudio reads, besides the cameras."""
LONGEST = 1600
"""Pixels of the longer side that nerfstudio's parsers shrink to."""


@dataclass
class SettledParserConfig(DataParserConfig):
    """A parser of nerfstudio, and the views of its capture."""

    parser: Any = None
    """Settings of the parser."""
    views: Any = None
    """`PosedPhotographs`; None to leave the parser's outputs as they are."""

    def setup(self, **kwargs: Any) -> DataParser:
        """The parser; `colmap`'s returns the settled pictures and lenses."""
        inner = self.parser.setup(**kwargs)
        if self.views is not None:
            read, views, folder = inner.get_dataparser_outputs, self.views, self.parser.data / self.parser.images_path
            inner.get_dataparser_outputs = lambda *args, **options: adopted(read(*args, **options), views, folder)
        return inner


@contextmanager
def settled(parser: DataParserConfig, data: Path) -> Iterator[tuple[DataParserConfig, PosedPhotographs | None]]:
    """A parser to use within the block in place of nerfstudio's, and the views; any other parser as it is.

    Raises:
        CaptureError: the capture cannot be used.
        OSError: it cannot be read.
    """
    from nerfstudio.data.dataparsers.blender_dataparser import BlenderDataParserConfig
    from nerfstudio.data.dataparsers.colmap_dataparser import ColmapDataParserConfig
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

    if isinstance(parser, NerfstudioDataParserConfig):
        path = data if data.suffix == ".json" else data / "transforms.json"
        views = read_photographs(_existing(path), parser.downscale_factor, LONGEST)
        with TemporaryDirectory(prefix="sinenerf.") as folder:
            file = Path(folder) / "transforms.json"
            file.write_text(json.dumps(_complete(views, path)), encoding="utf-8")
            yield SettledParserConfig(parser=replace(parser, data=file, downscale_factor=1)), views
    elif isinstance(parser, ColmapDataParserConfig):
        views, model = _colmap_views(parser, data)
        clouded = parser.load_3D_points and views.points is not None  # nerfstudio fails on an empty cloud
        inner = replace(parser, data=data, downscale_factor=1, colmap_path=model, load_3D_points=clouded)
        yield SettledParserConfig(parser=inner, views=views), views
    elif isinstance(parser, BlenderDataParserConfig):
        yield replace(parser, data=data), read_photographs(_existing(data / "transforms_train.json"))
    else:
        yield replace(parser, data=data), None


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CaptureError(f"{path}: no such file. Give its folder, or leave the parser's name out: it is found then")
    return path


def _complete(views: PosedPhotographs, path: Path) -> dict[str, Any]:
    """A transforms.json that nerfstudio reads without fault, in the coordinates that the file has."""
    content, _ = read_frames(path)
    kept = {name: content[name] for name in KEPT if name in content}
    to_file = _applied(content, path)
    frames = []
    for i, picture in enumerate(views.paths):
        pose = to_file @ np.vstack([views.camera_to_world[i], [0, 0, 0, 1]])
        pose[:3, 3] *= content.get("applied_scale", 1.0)
        frame = {"file_path": str(picture.resolve()), "transform_matrix": pose.tolist()}
        frame |= {"fl_x": views.fx[i], "fl_y": views.fy[i], "cx": views.cx[i], "cy": views.cy[i]}
        frame |= {"w": int(views.width[i]), "h": int(views.height[i])}
        if views.distortion is not None:
            frame |= dict(zip(("k1", "k2", "k3", "k4", "p1", "p2"), views.distortion[i].tolist(), strict=True))
        if views.masks is not None and all(views.masks):
            frame["mask_path"] = str(Path(views.masks[i]).resolve())  # type: ignore[arg-type]
        frames.append(frame)
    if views.named_held_out is not None:
        train, test = ([frames[i]["file_path"] for i in part] for part in hold_out(views))
        kept |= {"train_filenames": train, "val_filenames": test, "test_filenames": test}
    if (cloud := content.get("ply_file_path")) and (path.parent / str(cloud)).is_file():
        kept["ply_file_path"] = str((path.parent / cloud).resolve())
    return {**kept, "applied_transform": to_file[:3].tolist(), "camera_model": views.model, "frames": frames}


def _applied(content: dict[str, Any], path: Path) -> np.ndarray:
    """From the capture's coordinates to the file's (4, 4)."""
    from sinenerf.photographs.camera_numbers import undo_applied

    return np.linalg.inv(undo_applied(content, path))


def _colmap_views(parser: Any, data: Path) -> tuple[PosedPhotographs, Path]:
    """The views of a COLMAP capture, and the place of its model in it."""
    named = data / parser.colmap_path
    model = named if find_model(named) == named else find_model(data)
    if model is None:
        raise CaptureError(f"{named}: has no COLMAP model (cameras and images, as .bin or .txt)")
    return read_photographs(model, parser.downscale_factor, LONGEST), Path("/") / model.resolve()


def adopted(outputs: DataparserOutputs, views: PosedPhotographs, folder: Path) -> DataparserOutputs:
    """What `colmap` returns, with the pictures and lenses of the views; without photographs that are missing.

    Args:
        folder: where the parser takes the photographs of the model to lie.
    """
    assert views.model_names is not None
    place = {folder / name: index for index, name in enumerate(views.model_names)}
    kept = [i for i, path in enumerate(outputs.image_filenames) if path in place]
    indices = np.array([place[outputs.image_filenames[i]] for i in kept])
    chosen = views.chosen(indices)
    poses = outputs.cameras.camera_to_worlds[kept].double().numpy()
    masks = None if chosen.masks is None else list(chosen.masks)
    return replace(
        outputs,
        image_filenames=list(chosen.paths),
        cameras=cameras_of(chosen, poses),
        mask_filenames=masks,  # type: ignore[arg-type]
        metadata={**outputs.metadata, "transparent": views.transparent},
    )
