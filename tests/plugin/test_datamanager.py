"""Data that nerfstudio's own parsers read (Blender, nerfstudio, COLMAP), in a scene box instead of NDC."""

import json
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image
from support.capture_changes import make, picture, resave
from support.capture_corpus import CASES
from support.capture_layouts import blender_data, colmap_data, nerfstudio_data
from support.commands import call_command
from support.tiny_runs import TINY_OPTIONS, set_up, tiny_config

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from nerfstudio.data.pixel_samplers import PixelSamplerConfig

from sinenerf.plugin.datamanager import ROUNDS, PixelsThatCount
from sinenerf.plugin.dataparser import SineDataParserConfig

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("layout", [nerfstudio_data, blender_data, colmap_data])
def test_other_data_trains_evaluates_and_exports(layout, scene, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    parser, options = layout(scene, data)
    call_command(
        "ns-train",
        "sine-nerf-small",
        *TINY_OPTIONS,
        "--max-num-iterations=60",
        f"--output-dir={tmp_path}/runs",
        f"--data={data}",
        parser,
        *options,
    )
    config = next(tmp_path.rglob("config.yml"))
    call_command("ns-eval", f"--load-config={config}", f"--output-path={tmp_path}/metrics.json")
    assert np.isfinite(json.loads((tmp_path / "metrics.json").read_text())["results"]["psnr"])
    mesh = ["--output", tmp_path / "scene.ply", "--resolution", 24, "--min-faces", 1, "--no-seen-only"]
    call_command("sinenerf", "export-mesh", config.parent, *mesh)
    assert (tmp_path / "scene.ply").stat().st_size > 500


def parsed_by_nerfstudio(scene, target, **options):
    """The settings of a tiny training on `nerfstudio_data`."""
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

    target.mkdir(exist_ok=True)
    nerfstudio_data(scene, target)
    config = tiny_config("sine-nerf-small", scene, target / "runs", width=32, coarse_samples=24, fine_samples=10)
    config.data = config.pipeline.datamanager.data = target
    config.pipeline.datamanager.dataparser = NerfstudioDataParserConfig(
        data=target, eval_mode="interval", eval_interval=8, **options
    )
    config.pipeline.datamanager.train_num_rays_per_batch = 128
    return config


def assert_refused(config, *words):
    with pytest.raises(SystemExit) as stop:
        set_up(config)
    message = str(stop.value)
    assert message.startswith("sinenerf: ") and "\n" not in message
    for word in words:
        assert word in message, message


def edit_frame(data, change, frame=4):
    content = json.loads((data / "transforms.json").read_text())
    change(content["frames"][frame])
    (data / "transforms.json").write_text(json.dumps(content))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_invalid_camera(scene, tmp_path, number):
    """nerfstudio subtracts the mean of all poses, which makes every pose invalid."""
    config = parsed_by_nerfstudio(scene, tmp_path)
    edit_frame(tmp_path, lambda frame: frame["transform_matrix"][1].__setitem__(3, number))
    assert_refused(config, "transforms.json: frame 4", "transform_matrix has NaN or infinite")
    config.pipeline.datamanager.dataparser.data = config.pipeline.datamanager.data = tmp_path / "transforms.json"
    assert_refused(config, "transforms.json: frame 4")


@pytest.mark.parametrize("photograph", ["image004.png", "image008.png"])  # to train on, held out
def test_a_photograph_that_cannot_be_decoded(scene, tmp_path, photograph):
    config = parsed_by_nerfstudio(scene, tmp_path)
    path = tmp_path / "images" / photograph
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert_refused(config, str(path), "cannot be decoded")


def test_a_missing_folder(scene, tmp_path):
    config = parsed_by_nerfstudio(scene, tmp_path)
    config.data = config.pipeline.datamanager.data = tmp_path / "elsewhere"
    assert_refused(config, f"{tmp_path}/elsewhere/transforms.json: no such file")


def test_photographs_equal_those_that_nerfstudio_reads(scene, tmp_path):
    from nerfstudio.data.datasets.base_dataset import InputDataset

    config = parsed_by_nerfstudio(scene, tmp_path)
    with Image.open(tmp_path / "images" / "image004.png") as image:
        image.convert("L").save(image.filename)
    ours = set_up(config).pipeline.datamanager.train_dataset
    theirs = InputDataset(ours._dataparser_outputs)
    for index in range(len(ours)):
        np.testing.assert_array_equal(ours.get_numpy_image(index), theirs.get_numpy_image(index))


def colmap_parser(data):
    from nerfstudio.data.dataparsers.colmap_dataparser import ColmapDataParserConfig

    return ColmapDataParserConfig(data=data, eval_mode="interval", eval_interval=8, load_3D_points=False)


@pytest.mark.parametrize("layout", [nerfstudio_data, colmap_data])
@pytest.mark.parametrize("downscale", [None, 2])
def test_pictures_of_another_size_than_their_cameras(layout, downscale, scene, tmp_path):
    """The rays of half-size photographs cover the whole field of view, not its upper left quarter, and nobody is asked
    about images_2, which ffmpeg is not called to make."""
    config = parsed_by_nerfstudio(scene, tmp_path / "a", downscale_factor=downscale)
    data = tmp_path / "data"
    data.mkdir()
    layout(scene, data)
    for path in (data / "images").iterdir():
        with Image.open(path) as image:
            image.resize((24, 18)).save(path)
    config.data = config.pipeline.datamanager.data = data
    if layout is colmap_data:
        config.pipeline.datamanager.dataparser = colmap_parser(data)
        config.pipeline.datamanager.dataparser.downscale_factor = downscale
    manager = set_up(config).pipeline.datamanager
    width = 24 // (downscale or 1)
    assert manager.train_dataset[0]["image"].shape == (3 * width // 4, width, 3)
    rays = manager.train_dataset.cameras.generate_rays(0, keep_shape=True)
    pose = manager.train_dataset.cameras.camera_to_worlds[0]
    local = rays.directions @ pose[:, :3]
    tangents = (local[..., 0] / -local[..., 2])[0]
    reach = 24 / np.load(scene / "poses_bounds.npy")[0, 14] * (1 - 1 / width)
    np.testing.assert_allclose([tangents.min(), tangents.max()], [-reach, reach], rtol=1e-4)
    assert sorted(p.name for p in data.glob("images*")) == ["images", *([f"images_{downscale}"] if downscale else [])]


def test_photographs_of_two_sizes_and_a_mask_are_sampled(scene, tmp_path):
    """nerfstudio stacks photographs: 'stack expects each tensor to be equal size'."""
    nerfstudio_data(scene, tmp_path)
    with Image.open(tmp_path / "images" / "image003.png") as image:
        image.resize((24, 18)).save(image.filename)
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.uint8(255 * (np.arange(48) < 24))[None].repeat(36, 0)).save(tmp_path / "masks" / "image001.png")
    manager = set_up(tiny_config("sine-nerf-small", tmp_path, tmp_path / "runs")).pipeline.datamanager
    assert manager.train_dataset[0]["mask"].float().mean() == 0.5  # image001
    assert manager.train_dataset[2]["image"].shape == (18, 24, 3)
    for step in range(5):
        rays, batch = manager.next_train(step)
        assert batch["image"].shape == (len(rays), 3)
        masked = batch["indices"][batch["indices"][:, 0] == 0]
        assert (masked[:, 2] < 24).all()


@pytest.mark.parametrize(
    "name",
    [
        "a_matrix_of_three_rows",
        "a_byte_order_mark",
        "paths_of_windows",
        "a_field_of_view_alone",
        "jpg_beside_capital_jpg",
        "two_missing_photographs",
        "cmyk",
        "cameras_at_one_place",
        "a_mirrored_pose",
        "a_focal_length_of_zero",
        "no_frames",
        "a_missing_photograph_of_a_model",
        "smaller_pictures_that_an_interrupted_program_left",
        "a_model_of_two_of_nine_photographs",
    ],
)
def test_strange_captures_through_nerfstudios_parsers(name, scene, tmp_path):
    """Each ended in a traceback, in a question, or trained on something else than the photographs show."""
    (case,) = (case for case in CASES if case.name == name)
    config = parsed_by_nerfstudio(scene, tmp_path / "other")
    data = tmp_path / "data"
    make(case.kind, scene, data)
    case.change(data)
    config.data = config.pipeline.datamanager.data = data
    parser = config.pipeline.datamanager.dataparser
    if case.kind == "colmap":
        parser = config.pipeline.datamanager.dataparser = colmap_parser(data)
    elif case.kind == "llff":
        parser = config.pipeline.datamanager.dataparser = SineDataParserConfig(data=data)
    parser.downscale_factor = case.options.get("factor")
    if case.refused:
        assert_refused(config, *case.refused)
        return
    manager = set_up(config).pipeline.datamanager
    assert len(manager.train_dataset) + len(manager.eval_dataset) == case.views
    assert len(manager.train_dataset[0]["image"]) == 36 // case.options.get("factor", 1)


@pytest.mark.parametrize("photographs", [1, 3])
def test_pixels_are_drawn_evenly_where_masks_are_white_and_the_seed_fixes_them(photographs):
    mask = torch.zeros(photographs, 40, 50, 1, dtype=torch.bool)
    mask[0, :4, :10] = mask[-1, 30:, 40:] = True
    sampler = PixelSamplerConfig(_target=PixelsThatCount).setup(num_rays_per_batch=3000)
    image = torch.arange(mask.numel()).reshape(mask.shape)
    batches = []
    for _ in range(2):
        torch.manual_seed(3)
        batch = sampler.sample({"image": image, "mask": mask, "image_idx": torch.arange(photographs)})
        batches.append(batch["image"])
        assert batch["mask"].all() and (image[*batch["indices"].unbind(1)] == batch["image"]).all()
    assert torch.equal(*batches)
    drawn = batches[0].flatten().bincount(minlength=mask.numel())[mask.flatten()]
    assert drawn.min() > 3 and drawn.max() < 60  # about 21 each


def test_a_single_white_pixel_is_drawn_at_once():
    """It took a round for each pixel of the photograph, in every step."""
    mask = torch.zeros(1, 1000, 1000, 1, dtype=torch.bool)
    mask[0, 7, 9] = True
    sampler = PixelSamplerConfig(_target=PixelsThatCount).setup(num_rays_per_batch=64)
    with patch("torch.rand", side_effect=[torch.rand(64, 3) for _ in range(ROUNDS)]):  # and not once more
        drawn = sampler.sample_method(64, 1, 1000, 1000, mask, mask.device)
    assert drawn.tolist() == [[0, 7, 9]] * 64


def test_a_training_of_blender_data_holds_out_what_is_scored_later(scene, tmp_path):
    """It held out transforms_val.json: its scene.sine then warned of transforms_test.json, and its compressed run of
    neither."""
    from nerfstudio.data.dataparsers.blender_dataparser import BlenderDataParserConfig

    blender_data(scene, tmp_path)
    for split, frames in (("train", slice(5)), ("val", slice(5, 6)), ("test", slice(6, 9))):
        path = tmp_path / f"transforms_{split}.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "frames": content["frames"][frames]}))
    config = tiny_config("sine-nerf-small", tmp_path, tmp_path / "runs")
    config.pipeline.datamanager.dataparser = BlenderDataParserConfig()
    dataset = set_up(config).pipeline.datamanager.eval_dataset
    assert [path.name for path in dataset.image_filenames] == ["image006.png", "image007.png", "image008.png"]
    (tmp_path / "transforms_test.json").unlink()
    assert_refused(config, f"{tmp_path}/transforms_test.json: no such file", "leave the parser's name out")


def test_held_out_photographs_may_have_several_sizes(scene, tmp_path):
    make("llff", scene, tmp_path / "capture")
    resave(picture(tmp_path / "capture", 8), lambda image: image.resize((24, 18)))  # held out, as is the first
    manager = set_up(tiny_config("sine-nerf-small", tmp_path / "capture", tmp_path)).pipeline.datamanager
    assert manager.eval_dataset.cameras.width.flatten().tolist() == [48, 24]
    bundle, batch = manager.next_eval(0)
    assert len(bundle) == len(batch["image"])


def test_warning_of_a_scene_box_that_ends_at_the_cameras(scene, tmp_path, capsys):
    set_up(parsed_by_nerfstudio(scene, tmp_path / "small"))
    assert "all cameras lie inside the scene box, +-1," in capsys.readouterr().err
    set_up(parsed_by_nerfstudio(scene, tmp_path / "large", scene_scale=16.0))
    set_up(tiny_config("sine-nerf-small", scene, tmp_path))
    assert "scene box" not in capsys.readouterr().err


def test_training_on_a_scene_that_nerfstudio_parsed(scene, tmp_path):
    """In a box around the cameras alone, training reaches 11 dB; the photographs' mean colour reaches 16.4."""
    config = parsed_by_nerfstudio(scene, tmp_path, scene_scale=16.0)
    config.pipeline.datamanager.train_num_rays_per_batch = 256
    config.max_num_iterations, config.pipeline.model.rank = 100, 8
    trainer = set_up(config)
    for step in range(100):
        trainer.train_iteration(step)
    assert trainer.pipeline.get_average_eval_image_metrics()["psnr"] > 17
