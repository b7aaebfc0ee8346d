"""nerfstudio's own parsers on captures whose files they would confuse, leave out or look for elsewhere."""

import pytest
from support.capture_changes import edit_lines
from support.capture_layouts import colmap_data

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from nerfstudio.data.dataparsers.colmap_dataparser import ColmapDataParserConfig

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
