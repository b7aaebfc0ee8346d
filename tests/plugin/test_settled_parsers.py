"""nerfstudio's own parsers on captures whose files they would confuse, leave out or look for elsewhere."""

from pathlib import Path

import pytest
from PIL import Image
from support.capture_changes import edit_frame, edit_lines, make
from support.capture_layouts import colmap_data

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from nerfstudio.data.dataparsers.colmap_dataparser import ColmapDataParserConfig
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

from sinenerf.photographs.posed_photographs import CaptureError
from sinenerf.plugin.settled_parsers import settled


def outputs_of(parser, data, split="train"):
    """What a parser returns for one split of a capture."""
    with settled(parser, data) as (config, _):
        return config.setup().get_dataparser_outputs(split=split)


@pytest.fixture
def model(scene, tmp_path):
    """A COLMAP capture of nine views."""
    colmap_data(scene, tmp_path)
    return tmp_path


def colmap(**options):
    return ColmapDataParserConfig(load_3D_points=False, colmap_path="sparse", eval_mode="all", **options)


def test_photographs_of_one_name_in_two_folders(model):
    """A rig: every other view is of a second camera, whose photographs have the names of the first one's."""
    names = [f"cam{view % 2}/{view // 2}.png" for view in range(9)]
    for view, name in enumerate(names):
        (model / "images" / name).parent.mkdir(exist_ok=True)
        (model / "images" / f"image{view:03d}.png").rename(model / "images" / name)
    edit_lines(model, "cameras.txt", lambda lines: [*lines, "2 PINHOLE 48 36 30 30 24 18"])

    def second_camera(lines):
        for view, name in enumerate(names):
            *start, _, _ = lines[2 * view].split(" ")
            lines[2 * view] = " ".join([*start, str(1 + view % 2), name])
        return lines

    edit_lines(model, "images.txt", second_camera)
    outputs = outputs_of(colmap(), model)
    assert [path.relative_to(model / "images").as_posix() for path in outputs.image_filenames] == names
    assert (outputs.cameras.fx[1::2] == 30).all() and (outputs.cameras.fx[::2] != 30).all()


@pytest.mark.parametrize("others", [True, False])
def test_photographs_lie_where_the_parser_is_told(model, others):
    """Those of `images` were read, and refused where there were none."""
    (model / "images").rename(model / "denoised")
    if others:
        (model / "images").mkdir()
        for path in (model / "denoised").iterdir():
            Image.new("RGB", (48, 36)).save(model / "images" / path.name)
    outputs = outputs_of(colmap(images_path=Path("denoised")), model)
    assert [path.parent.name for path in outputs.image_filenames] == ["denoised"] * 9


def save_masks(folder, *views):
    folder.mkdir()
    for view in views:
        Image.new("L", (48, 36), 255).save(folder / f"image{view:03d}.png")


def test_masks_lie_where_the_parser_is_told(model):
    save_masks(model / "masks", 1)
    save_masks(model / "people", 0, 2)
    masks = outputs_of(colmap(masks_path=Path("people")), model).mask_filenames
    assert masks == [model / "people/image000.png", None, model / "people/image002.png", *[None] * 6]
    assert outputs_of(colmap(), model).mask_filenames == [None, model / "masks/image001.png", *[None] * 7]
    with pytest.raises(CaptureError, match=r"sparse: has no masks of these photographs\. images/image000.png would"):
        outputs_of(colmap(masks_path=Path("sparse")), model)


def test_masks_of_some_photographs(scene, tmp_path):
    """As sine-data reads them; nerfstudio itself wants a mask for each or for none."""
    make("transforms", scene, tmp_path / "data")
    save_masks(tmp_path / "data/people", 4)
    edit_frame(tmp_path / "data", lambda frame: frame.update(mask_path="people/image004.png"))
    outputs = outputs_of(NerfstudioDataParserConfig(eval_mode="all"), tmp_path / "data")
    assert dict(zip((p.name for p in outputs.image_filenames), outputs.mask_filenames, strict=True)) == {
        f"image{view:03d}.png": tmp_path / "data/people/image004.png" if view == 4 else None for view in range(9)
    }
    with pytest.raises(CaptureError, match="--mask-color has no effect"):
        outputs_of(NerfstudioDataParserConfig(mask_color=(1.0, 0.0, 0.0)), tmp_path / "data")
