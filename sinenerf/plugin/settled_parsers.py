"""nerfstudio's own data parsers on captures that `sinenerf.photographs` has checked and settled.

They check little of what they read. `nerfstudio-data` is given a transforms.json with complete cameras and absolute
paths, and what it returns the masks, which it takes for all photographs or none. `colmap` reads its model itself, and
what it returns is given the pictures, lenses and masks that were settled. Neither looks for smaller pictures itself:
`colmap` would ask a question, and call ffmpeg.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs

from sinenerf.photographs.camera_numbers import read_frames, undo_applied
from sinenerf.photographs.colmap_model import find_model, read_colmap
from sinenerf.photographs.file_paths import find_masks
from sinenerf.photographs.posed_photographs import CaptureError, PosedPhotographs, hold_out
from sinenerf.photographs.reading import read_photographs, with_pictures
from sinenerf.plugin.dataparser import nerfstudio_cameras

KEPT = ("applied_scale", "orientation_override", "fisheye_crop_radius")
"""Keys of a transforms.json that nerfstudio reads, besides the cameras."""
LONGEST = 1600
"""Pixels of the longer side that nerfstudio's parsers shrink to."""


@dataclass
class SettledParserConfig(DataParserConfig):
    """A parser of nerfstudio, and how what it returns is settled."""

    parser: Any = None
    """Settings of the parser."""
    settle: Any = None
    """Function of what it returns."""

    def setup(self, **kwargs: Any) -> DataParser:
        """The parser, which returns settled outputs."""
        inner = self.parser.setup(**kwargs)
        read, settle = inner.get_dataparser_outputs, self.settle
        inner.get_dataparser_outputs = lambda *args, **options: settle(read(*args, **options))
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
        if parser.mask_color is not None:
            raise CaptureError(
                "--mask-color has no effect: what masks exclude is neither trained on nor scored. Leave it out"
            )
        path = data if data.suffix == ".json" else data / "transforms.json"
        views = read_photographs(_existing(path), parser.downscale_factor, LONGEST)
        with TemporaryDirectory(prefix="sinenerf.") as folder:
            file = Path(folder) / "transforms.json"
            file.write_text(json.dumps(_complete(views, path)), encoding="utf-8")
            inner = replace(parser, data=file, downscale_factor=1)
            yield SettledParserConfig(parser=inner, settle=partial(with_masks, views=views)), views
    elif isinstance(parser, ColmapDataParserConfig):
        views, model = _colmap_views(parser, data)
        clouded = parser.load_3D_points and views.points is not None  # nerfstudio fails on an empty cloud
        # adopted finds the masks: this parser takes their names for those of the photographs, and wants all of them
        unmasked = replace(parser, data=data, downscale_factor=1, masks_path=None)
        inner = replace(unmasked, colmap_path=model, load_3D_points=clouded)
        settle = partial(adopted, views=views, folder=data / parser.images_path)
        yield SettledParserConfig(parser=inner, settle=settle), views
    elif isinstance(parser, BlenderDataParserConfig):
        train, _ = (_existing(data / f"transforms_{split}.json") for split in ("train", "test"))
        yield replace(parser, data=data), read_photographs(train)
    else:
        yield replace(parser, data=data), None


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CaptureError(
            f"{path}: no such file. Give its folder, or leave the parser's name out: sine-data then reads what is there"
        )
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
        frames.append(frame)
    if views.named_held_out is not None:
        train, test = ([frames[i]["file_path"] for i in part] for part in hold_out(views))
        kept |= {"train_filenames": train, "val_filenames": test, "test_filenames": test}
    if (cloud := content.get("ply_file_path")) and (path.parent / str(cloud)).is_file():
        kept["ply_file_path"] = str((path.parent / cloud).resolve())
    return {**kept, "applied_transform": to_file[:3].tolist(), "camera_model": views.model, "frames": frames}


def _applied(content: dict[str, Any], path: Path) -> np.ndarray:
    """From the capture's coordinates to the file's (4, 4)."""
    return np.linalg.inv(undo_applied(content, path))


def _colmap_views(parser: Any, data: Path) -> tuple[PosedPhotographs, Path]:
    """The views of a COLMAP capture, and the place of its model in it."""
    named = data / parser.colmap_path
    model = named if find_model(named) == named else find_model(data)
    if model is None:
        raise CaptureError(f"{named}: has no COLMAP model (cameras and images, as .bin or .txt)")
    images = None if parser.images_path == Path("images") else data / parser.images_path
    views = read_colmap(model, image_path=images)
    if parser.masks_path is not None:
        views = find_masks(views, data / parser.masks_path)
    return with_pictures(views, parser.downscale_factor, LONGEST), Path("/") / model.resolve()


def with_masks(outputs: DataparserOutputs, views: PosedPhotographs) -> DataparserOutputs:
    """What `nerfstudio-data` returns, with the masks of the views."""
    if views.masks is None:
        return outputs
    masks = {path.resolve(): mask for path, mask in zip(views.paths, views.masks, strict=True)}
    found = [masks[path] for path in outputs.image_filenames]
    return replace(outputs, mask_filenames=found)  # type: ignore[arg-type]


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
        cameras=nerfstudio_cameras(chosen, poses),
        mask_filenames=masks,  # type: ignore[arg-type]
        metadata={**outputs.metadata, "transparent": views.transparent},
    )
