"""The field that renders without nerfstudio: to bytes and back, from a run to a file, to pictures."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import independent_reader
import numpy as np
import pytest
import torch
from answering import answer
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import kill_and_run_again

import sinenerf
from sinenerf.codec.container import RADIANCE, Container, pack
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.table import Coded, values_of
from sinenerf.nerf.architecture import RadianceConfig
from sinenerf.nerf.file import NUMBERS, SIZES, overhead
from sinenerf.nerf.radiance import RadianceField
from sinenerf.nerf.rays import composite, histogram_samples, median, uniform_bins, weights_of
from sinenerf.nerf.views import Capture, View, capture_of, look_at, read_views
from sinenerf.nerf.warp import NDC, Box

SMALL = dict(
    layer="sine",
    rank=3,
    omega=30.0,
    spread=0.3,
    learn_omega=False,
    learn_gain=False,
    anchored=True,
    factored=("input", "hidden", "head"),
    width=16,
    depth=2,
    skips=(),
    position_frequencies=4,
    direction_frequencies=2,
    sampling="proposal",
    coarse_samples=8,
    fine_samples=6,
    proposal_width=8,
    proposal_depth=2,
    proposal_frequencies=3,
    density_activation="exp",
    background="last_sample",
)


def a_capture(forward=True):
    angles = np.linspace(-0.3, 0.3, 5)
    if forward:
        poses = [look_at(np.array([a, 0.1 * a, 0.0]), np.array([0.0, 0, -4]), np.array([0.0, 1, 0])) for a in angles]
    else:
        poses = [
            look_at(3 * np.array([math.sin(a), 0.2, math.cos(a)]), np.zeros(3), np.array([0.0, 1, 0])) for a in angles
        ]
    lens = View(poses[0], 20.0, 21.0, 12.0, 9.0, 24, 18)
    motion = np.array([[0.0, -1, 0, 0.5], [1, 0, 0, -1], [0, 0, 1, 2]])
    return capture_of(np.stack(poses), lens, motion, 0.5, forward)


def a_field(warp=None, **changes):
    warp = warp or NDC(0.6, 0.45)
    return RadianceField(RadianceConfig(**{**SMALL, **changes}), warp, 0.9, a_capture(isinstance(warp, NDC))).eval()


CASES = [
    {},
    {"layer": "dense"},
    {"layer": "low-rank", "background": "white"},
    {"sampling": "coarse-fine", "depth": 3, "skips": (1,), "density_activation": "softplus", "learn_omega": True},
    {"anchored": False, "position_frequencies": 0, "skips": (0,), "rank": 5, "factored": ("hidden", "head")},
    {"position_frequencies": 0, "skips": (0,), "rank": 5, "factored": ("hidden", "head")},
    {"factored": ("hidden",), "learn_gain": True, "background": "black"},
]


@pytest.mark.parametrize("changes", CASES)
@pytest.mark.parametrize("warp", [NDC(0.6, 0.45), Box((0.1, 0.2, 0.3), (1.0, 0.8, 0.6), 0.1)])
def test_to_bytes_and_back(changes, warp, tmp_path):
    field = a_field(warp, **changes)
    field.precision = "float32"
    field.save(tmp_path / "scene.sine")
    read = sinenerf.load(tmp_path / "scene.sine")
    assert isinstance(read, RadianceField)
    read.precision = "float32"
    assert read.config == field.config and read.warp == warp and read.far == 0.9
    for name, value in field.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], value, rtol=0, atol=0)
    np.testing.assert_allclose(read.capture.home.pose, field.capture.home.pose, atol=1e-6)
    np.testing.assert_allclose(read.capture.motion, field.capture.motion, atol=1e-6)
    view = field.capture.home.resized(0.5)
    for name, picture in field.render(view, normals=True).items():
        again = read.render(
            View(view.pose, *(getattr(view, k) for k in ("fx", "fy", "cx", "cy", "width", "height"))), True
        )
        torch.testing.assert_close(again[name], picture, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("changes", CASES)
def test_second_reader_finds_the_same_field(changes):
    """A reader that is made from docs/format.md alone: the same numbers, and from them the same density."""
    for warp in (NDC(0.6, 0.45), Box((0.1, 0.2, 0.3), (1.0, 0.8, 0.6), 0.1)):
        ours = a_field(warp, **changes)
        ours.precision = "float32"
        with torch.no_grad():
            for parameter in ours.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        names = [name for name, _ in ours.named_parameters()]
        ours.coded = {}
        for name, parameter in list(ours.named_parameters())[::2]:  # every other tensor as integers
            step = 2.0**-9
            integers = (parameter.detach() / step).round().long().numpy()
            ours.coded[name] = Coded(integers, step)
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(ours.coded[name].values()))
        config, tensors = independent_reader.read(ours.to_bytes())
        assert len(tensors) == len(names)
        for name, (integers, values) in zip(names, tensors.values(), strict=True):
            np.testing.assert_array_equal(values, ours.get_parameter(name).detach().numpy())
            assert (integers is None) == (name not in ours.coded)
        assert config["box"] == isinstance(warp, Box) and config["far"] == pytest.approx(ours.far)
        expected = (
            (warp.tan_x, warp.tan_y, warp.near) if isinstance(warp, NDC) else (*warp.centre, *warp.half, warp.near)
        )
        assert config["warp"][: len(expected)] == pytest.approx(expected)
        capture = ours.capture
        np.testing.assert_allclose(config["motion"], capture.motion.ravel(), atol=1e-6)
        np.testing.assert_allclose(config["position_of_home"], capture.home.pose[:, 3], atol=1e-6)
        assert config["lens"] == pytest.approx((capture.home.fx, capture.home.fy, capture.home.cx, capture.home.cy))
        assert config["pixels"] == (capture.home.width, capture.home.height)
        points = np.random.default_rng(0).uniform(-1, 1, (50, 3))
        with torch.no_grad():
            wanted = ours.density(torch.from_numpy(points).float())[:, 0].numpy()
        np.testing.assert_allclose(density_by_the_page(config, tensors, points), wanted, rtol=5e-3, atol=1e-4)


def density_by_the_page(config, tensors, points):
    """The density of docs/format.md, in numpy."""
    value = {name.removeprefix("1."): v for name, (_, v) in tensors.items() if name.startswith("1.")}

    def weight(name, a, inputs):
        if f"{name}.weight" in value:
            return value[f"{name}.weight"]
        product = independent_reader.product(config, value[f"{name}.U"], value[f"{name}.V"], inputs, a)
        if config["layer"] == 1:
            return product
        k, spread = config["rank"], config["spread"]
        power = (1 - (1 + 4 * spread**2 / k) ** (-k / 2)) / 2
        gain = value.get(f"{name}.gain", np.sqrt(power * product.shape[1]) / a)
        return np.sin(value.get(f"{name}.omega", config["omega"]) * product) / gain

    angles = [points * 2.0**octave for octave in range(config["position"])]
    x = h = np.concatenate([points, *(wave(angle) for angle in angles for wave in (np.sin, np.cos))], axis=1)
    for i in range(config["depth"]):
        h = np.maximum(h @ weight(f"layers.{i}", 2**0.5, h.shape[1]).T + value[f"layers.{i}.bias"], 0)
        if config["skips"] >> i & 1:
            h = np.concatenate([x, h], axis=1)
    raw = (h @ weight("density", 1, h.shape[1]).T + value["density.bias"])[:, 0]
    return np.exp(np.minimum(raw, 12)) if config["density_activation"] else np.log1p(np.exp(raw))


def test_renders_without_nerfstudio(tmp_path):
    a_field().save(tmp_path / "scene.sine")
    code = """
import sys
import time
sys.modules["nerfstudio"] = None
import sinenerf
field = sinenerf.load(sys.argv[1])
print(field.render(field.capture.home)["rgb"].shape)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "scene.sine")], capture_output=True, text=True, check=False
    )
    assert "torch.Size([18, 24, 3])" in run.stdout, run.stderr


def test_every_damaged_header_is_an_error_or_a_field():
    data = a_field().to_bytes()
    container = Container.parse(data)
    stored = container.tensors(list(RadianceConfig(**SMALL).tensors().values()))
    random = np.random.default_rng(0)
    errors = 0
    for _ in range(400):
        header = bytearray(container.header)
        for place in random.integers(len(header), size=random.integers(1, 4)):
            header[place] = random.integers(256)
        try:
            field = RadianceField.of_container(Container.parse(pack(RADIANCE, bytes(header), stored)))
        except CodecError:
            errors += 1
        else:
            assert field.config.baked_size <= 2**24
    assert errors > 100


def test_skips_beyond_the_depth_are_none(tmp_path):
    """The presets' skip after the fifth layer, in a network of four."""
    field = a_field(depth=4, skips=(1, 4))
    field.save(tmp_path / "scene.sine")
    read = sinenerf.load(tmp_path / "scene.sine")
    assert read.config.skips == (1,)
    torch.testing.assert_close(read.state_dict(), field.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"depth": 18}, "depth is 18: a file holds 1 to 16"),
        ({"spread": 5e-4}, "spread is 0.0005: a file holds 0.001 to"),
        ({"width": 1024, "depth": 16}, r"baked, the networks hold up to [\d,]+ weights: a file at most 16,777,216"),
        (
            {"width": 512, "depth": 8, "layer": "dense", "sampling": "coarse-fine"},
            "4,504,072 numbers are beyond the format's bound of",
        ),
    ],
)
def test_what_no_reader_opens_is_not_written(changes, said, tmp_path):
    field = a_field(**changes)
    for write in (field.check_writable, lambda: field.save(tmp_path / "x.sine")):
        with pytest.raises(ValueError, match=said):
            write()
    assert not list(tmp_path.iterdir())


def test_overhead_counts_every_byte():
    field = a_field()
    size = len(field.to_bytes()) - 4 * field.parameters_count
    assert size <= overhead(field.config)
    assert SIZES.size + NUMBERS.size < 200


def test_other_kinds_are_refused(tmp_path):
    from sinenerf.occupancy.field import OccupancyField

    a_field().save(tmp_path / "scene.sine")
    with pytest.raises(CodecError, match="holds no occupancy field"):
        OccupancyField.load(tmp_path / "scene.sine")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_sampling_follows_the_histogram(seed):
    """Half of a ray's samples lie where half of its weight is, up to the padding."""
    random = torch.Generator().manual_seed(seed)
    weights = torch.rand(3, 16, 1, generator=random) * 10
    bins = uniform_bins(16, 3)
    edges = histogram_samples(bins, weights, 999, merge=False)
    assert (edges.diff() >= 0).all() and edges.min() >= 0 and edges.max() <= 1
    padded = (weights[..., 0] + 0.01) / (weights[..., 0] + 0.01).sum(-1, keepdim=True)
    drawn = torch.stack([torch.histc(e, 16, 0, 1) for e in edges]) / 1000
    torch.testing.assert_close(drawn, padded, atol=3e-3, rtol=0)
    merged = histogram_samples(bins, weights, 10, merge=True)
    assert merged.shape == (3, 28) and (merged.diff() >= 0).all()


def test_weights_and_median_of_a_wall():
    edges = uniform_bins(10, 2)
    density = torch.zeros(2, 10, 1)
    density[:, 4] = 1e4
    weights = weights_of(density, edges)
    torch.testing.assert_close(weights.sum(-2), torch.ones(2, 1))
    middles = ((edges[:, 1:] + edges[:, :-1]) / 2)[..., None]
    torch.testing.assert_close(median(middles, weights), torch.full((2, 1), 0.45))
    grey = torch.full((2, 10, 3), 0.5)
    torch.testing.assert_close(composite(grey, weights, "white"), torch.full((2, 3), 0.5))
    torch.testing.assert_close(composite(grey, 0 * weights, "white"), torch.ones(2, 3))


def test_rays_go_through_the_pixels_middles():
    view = View(np.eye(4)[:3], 10.0, 10.0, 2.0, 1.0, 4, 2)
    origins, directions = view.rays()
    assert origins.shape == directions.shape == (8, 3)
    torch.testing.assert_close(directions[0] / -directions[0, 2:], torch.tensor([-0.15, 0.05, -1.0]))
    half = view.resized(0.5)
    assert (half.width, half.height, half.fx, half.cx) == (2, 1, 5.0, 1.0)


def test_the_path_stays_near_home_and_looks_at_the_scene():
    capture = a_capture()
    path = capture.spiral(12)
    for view in path:
        offset = view.pose[:, 3] - capture.home.pose[:, 3]
        assert np.abs(offset).max() <= 0.31
        np.testing.assert_allclose(view.pose[:, :3].T @ view.pose[:, :3], np.eye(3), atol=1e-9)
        target = capture.home.pose[:, 3] - capture.focus * capture.home.pose[:, 2]
        forward = (target - view.pose[:, 3]) / np.linalg.norm(target - view.pose[:, 3])
        np.testing.assert_allclose(-view.pose[:, 2], forward, atol=1e-9)


def test_the_path_of_an_object_goes_round_it():
    """Cameras all around, whose middle lies within the object: home was there, and looked anywhere."""
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    target, up = np.array([0.1, 0.2, -0.1]), np.array([0.0, 0, 1])
    around = [np.array([math.cos(a), math.sin(a), 0.3 + 0.2 * (i % 3)]) for i, a in enumerate(angles)]
    poses = np.stack([look_at(target + 2 * place, target, up) for place in around])
    capture = capture_of(poses, View(poses[0], 20.0, 20.0, 12.0, 9.0, 24, 18), np.eye(4)[:3], 1.0, False)
    assert any(np.allclose(capture.home.pose, pose) for pose in poses)
    assert capture.home.pose[2, 3] == pytest.approx(-0.1 + 2 * 0.5)  # of the middling height
    path = capture.spiral(20)
    for view, following in zip(path, path[1:] + path[:1], strict=True):
        offset = view.pose[:, 3] - target
        assert 1.9 < np.linalg.norm(offset) < 2.8
        np.testing.assert_allclose(view.pose[:, 2], offset / np.linalg.norm(offset), atol=1e-6)
        assert view.pose[:, 1] @ following.pose[:, 1] > 0.9 and view.pose[2, 1] > 0


@pytest.mark.parametrize("keys", [{}, {"applied_transform": [[0, 1, 0, 5], [1, 0, 0, 0], [0, 0, -1, 2]]}, "colmap"])
@pytest.mark.parametrize("scale", [None, 0.25])
def test_transforms_are_read_as_nerfstudio_reads_them(keys, scale, scene, tmp_path):
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
    from test_other_data import nerfstudio_data

    nerfstudio_data(scene, tmp_path)
    if keys == "colmap":  # an early ns-process-data, which turned the axes and did not say so
        (tmp_path / "colmap/sparse/0").mkdir(parents=True)
        keys = {}
    path = tmp_path / "transforms.json"
    content = json.loads(path.read_text()) | keys | ({} if scale is None else {"applied_scale": scale})
    path.write_text(json.dumps(content))
    config = NerfstudioDataParserConfig(data=tmp_path, eval_mode="all", load_3D_points=False)
    parsed = config.setup().get_dataparser_outputs("train")
    motion, cameras = parsed.dataparser_transform.double().numpy(), parsed.cameras
    capture = Capture(motion, float(parsed.dataparser_scale), a_capture().home, np.ones(3), 1.0)
    views = read_views(path, capture)
    poses = cameras.camera_to_worlds.double().numpy()
    np.testing.assert_allclose(np.stack([view.pose for view in views]), poses, atol=1e-5)
    assert views[0].fx == pytest.approx(float(cameras.fx[0])) and views[0].width == 48


def test_transforms_json(tmp_path):
    capture = a_capture()
    pose = np.eye(4)
    pose[:3, 3] = [1, 2, 3]
    path = tmp_path / "transforms.json"
    frame = {"transform_matrix": pose.tolist()}
    path.write_text(json.dumps({"camera_angle_x": 1.0, "frames": [frame, {**frame, "fl_x": 7.0, "w": 10, "h": 8}]}))
    first, second = read_views(path, capture)
    np.testing.assert_allclose(first.pose[:, 3], 0.5 * (capture.motion @ [1, 2, 3, 1]))
    np.testing.assert_allclose(first.pose[:, :3], capture.motion[:, :3])
    assert first.fx == pytest.approx(24 / (2 * math.tan(0.5))) and (first.width, first.height) == (24, 18)
    assert (second.fx, second.width, second.cx) == (7.0, 10, 5.0)
    path.write_text(json.dumps({"camera_angle_x": 0, "frames": [frame]}))
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        read_views(path, capture)
    path.write_text(json.dumps({"frames": [{}]}))
    with pytest.raises(ValueError, match="is no transforms"):
        read_views(path, capture)
    with pytest.raises(FileNotFoundError):
        read_views(tmp_path / "none.json", capture)


TRAIN = """
ns-train sine-nerf-small --vis tensorboard --max-num-iterations 40 --steps-per-eval-image 0 --steps-per-eval-batch 0
--steps-per-eval-all-images 0 --steps-per-save 20 --timestamp run --viewer.quit-on-train-completion True
--pipeline.model.width 24 --pipeline.model.rank 3 --pipeline.model.coarse-samples 8 --pipeline.model.fine-samples 6
--pipeline.model.bits 10 --pipeline.datamanager.train-num-rays-per-batch 64 --output-dir {output}
llff-data --data {scene} --downscale-factor 1
"""


def command(*arguments):
    program = [sys.executable, "-m", "sinenerf", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def run(scene, tmp_path_factory):
    """A run that was trained with quantisation."""
    output = tmp_path_factory.mktemp("runs")
    program, *arguments = TRAIN.format(output=output, scene=scene).split()
    program = str(Path(sys.executable).with_name(program))
    made = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    return next(output.rglob("config.yml")).parent


def test_a_run_leaves_a_file_that_shows_what_it_shows(run, scene, tmp_path):
    from sinenerf.nerf.pack import field_of
    from sinenerf.nerf.runs import open_run
    from sinenerf.rd.timed import model_renderer, score_held_out

    path = run / "scene.sine"
    described = json.loads(answer("info", path, "--json").stdout)
    assert described["kind"] == "radiance field" and described["bits_per_parameter"] <= 10
    field, pipeline = sinenerf.load(path), open_run(run)
    assert pipeline.model.quantiser.active
    assert field_of(pipeline).to_bytes() == path.read_bytes()  # rounds the run's own numbers to the budget, too
    field.precision = pipeline.model.field.precision = "float32"
    views = read_views(scene / "poses_bounds.npy", field.capture)
    kept = [i for i in range(len(views)) if i % 8]
    for index, wanted in enumerate(kept[:2]):
        camera = pipeline.datamanager.train_dataset.cameras[index : index + 1]
        with torch.no_grad():
            truth = pipeline.model.get_outputs_for_camera(camera)
        shown = field.render(views[wanted], normals=True)
        torch.testing.assert_close(shown["rgb"], truth["rgb"], atol=2e-3, rtol=0)
        torch.testing.assert_close(shown["accumulation"], truth["accumulation"], atol=2e-3, rtol=0)
    assert set(field.coded) == {name for name, _ in field.named_parameters()}

    scored = command("eval", path, scene, "--json", "--picture", tmp_path / "held_out.png")
    result = json.loads(scored.stdout)
    assert result["bytes"] == path.stat().st_size and result["views"] == 2, scored.stderr
    wanted = score_held_out(pipeline, model_renderer(pipeline)).metrics
    assert result["psnr"] == pytest.approx(wanted["psnr"], abs=0.05)
    assert result["ssim"] == pytest.approx(wanted["ssim"], abs=0.01)

    made = command("render", path, "--output", tmp_path / "views", "--cameras", scene / "poses_bounds.npy")
    assert made.returncode == 0 and len(list((tmp_path / "views").glob("*.png"))) == 9, made.stderr
    for what in ("depth", "normals"):
        film = answer("render", path, "--output", tmp_path / f"{what}.mp4", "--frames", 3, "--what", what)
        assert film.returncode == 0 and (tmp_path / f"{what}.mp4").stat().st_size > 500, film.stderr


def test_a_run_is_compressed_within_a_budget(run, tmp_path):
    path = tmp_path / "small.sine"
    made = command("compress", run, "--output", path, "--bytes", 4500, "--steps", 20)
    assert made.returncode == 0 and path.stat().st_size <= 4500, made.stderr
    exact = answer("compress", run, "--output", tmp_path / "exact.sine", "--bits", 32)
    assert exact.returncode == 0, exact.stderr
    field = sinenerf.load(tmp_path / "exact.sine")
    assert not field.coded and (tmp_path / "exact.sine").stat().st_size > 4 * field.parameters_count
    same = answer("compress", run, "--output", tmp_path / "same.sine")
    assert same.returncode == 0 and (tmp_path / "same.sine").read_bytes() == (run / "scene.sine").read_bytes()


def test_killed_compression_goes_on(run, tmp_path):
    program = "import sinenerf.nerf.compress as c; c.SAVE_EVERY = 0.2; from sinenerf.cli import main; main()"
    line = [sys.executable, "-c", program, "compress", str(run), "--output", str(tmp_path / "small.sine")]
    line += ["--bytes", "4500", "--minutes", "0.05"]
    kill_and_run_again(line, tmp_path / ".small.sine.checkpoint")
    assert [p.name for p in tmp_path.iterdir()] == ["small.sine"]
    assert (tmp_path / "small.sine").stat().st_size <= 4500


def test_interrupted_compression_goes_on(run, tmp_path, monkeypatch, capsys):
    from sinenerf.nerf.compress import FineTuning, compress_run

    steps, train_step = [], FineTuning._train_step

    def ctrl_c_at_seven(self):
        steps.append(self.step)
        if steps == list(range(8)):
            os.kill(os.getpid(), signal.SIGINT)
        train_step(self)

    monkeypatch.setattr(FineTuning, "_train_step", ctrl_c_at_seven)
    path = tmp_path / "small.sine"
    assert not compress_run(run, path, bytes=4500, steps=12).complete
    assert path.is_file() and "the same command goes on" in capsys.readouterr().err
    assert compress_run(run, path, bytes=4500, steps=12).complete and steps == list(range(12))
    assert [p.name for p in tmp_path.iterdir()] == ["small.sine"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--steps", 0), "steps is 0: it must be positive"),
        (("--steps", -5), "steps is -5: it must be positive"),
        (("--minutes", 0), "minutes is 0.0: it must be positive"),
        (("--minutes", -1), "minutes is -1.0: it must be positive"),
        (("--minutes", 1, "--steps", 5), "minutes or steps, not both"),
        (("--bits", 8, "--bytes", 5000), "bits or bytes, not both"),
        (("--mesh", "shape.ply"), "--mesh"),
    ],
)
def test_a_budget_is_checked_before_a_run_is_opened(options, said, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.nerf.compress.open_run", lambda run: pytest.fail("it was opened"))
    refused = answer("compress", tmp_path, "--output", tmp_path / "x.sine", *options)
    assert refused.returncode == 1 and said in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compress", "{run}", "--output", "{tmp}/x.sine", "--bytes", "300"), "300 bytes: too few for"),
        (("compress", "{tmp}", "--output", "{tmp}/x.sine"), "no run there"),
        (("compress", "{run}", "--output", "{tmp}/no/x.sine"), "the folder"),
        (("render", "{run}/scene.sine", "--output", "{tmp}/x.mp4", "--scale", "0"), "must be positive"),
        (("render", "{golden}", "--output", "{tmp}/x.mp4"), "holds a shape, not a radiance field"),
        (("render", "{run}/scene.sine", "--output", "{tmp}/x", "--cameras", "{golden}"), "cameras are read from"),
    ],
)
def test_bad_input_is_one_line(run, tmp_path, arguments, said):
    golden = Path(__file__).parent / "golden" / "sine.sine"
    made = answer(*(a.format(run=run, tmp=tmp_path, golden=golden) for a in arguments))
    assert made.returncode == 1 and said in made.stderr, made.stderr
    assert made.stderr.count("\n") == 1 and not (tmp_path / "x.sine").exists()


def test_a_scene_meshes(run, tmp_path):
    field = sinenerf.load(run / "scene.sine")
    try:
        mesh = field.mesh(32, min_faces=1)
    except ValueError as error:  # forty steps may leave no surface
        assert "level" in str(error) or "range" in str(error) or "runs from" in str(error)
    else:
        assert len(mesh.faces) and mesh.visual.vertex_colors.shape[1] == 4


def test_values_of_files_are_finite():
    container = Container.parse(a_field().to_bytes())
    shapes = list(RadianceConfig(**SMALL).tensors().values())
    assert all(np.isfinite(values_of(tensor)).all() for tensor in container.tensors(shapes))
