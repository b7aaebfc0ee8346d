"""Rendering and training of the nerfstudio model on a tiny generated scene."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.tiny_runs import make_trainer, set_up, tiny_config

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from nerfstudio.cameras.rays import RayBundle

from sinenerf.factored import FactoredLinear
from sinenerf.networks import RadianceMLP
from sinenerf.radiance.warps import between


def test_model_has_the_outputs_that_nerfstudios_tools_expect(trainer):
    model = trainer.pipeline.model.eval()
    camera = trainer.pipeline.datamanager.train_dataset.cameras[:1]
    outputs = model.get_outputs_for_camera(camera)
    assert {"rgb", "depth", "accumulation", "normals"} <= set(outputs)
    assert outputs["rgb"].shape == (36, 48, 3) and outputs["depth"].shape == (36, 48, 1)
    for name in ("rgb", "accumulation", "normals"):
        assert outputs[name].min() >= 0 and outputs[name].max() <= 1, name
    normals = 2 * outputs["normals"] - 1
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(36, 48), atol=1e-3, rtol=0)
    rgba = model.get_rgba_image(outputs)
    assert torch.equal(rgba[..., 3:], outputs["accumulation"])
    assert (outputs["depth"] > 0).all()


class Wall(RadianceMLP):
    """A field that is solid behind one world depth."""

    def __init__(self, warp, z):
        torch.nn.Module.__init__(self)
        self.warp, self.z = warp, z

    def embed(self, points):
        return points

    def raw_density(self, points):
        return ((self.z - self.warp.unwarp_points(points)[..., 2:]) * 1000).clamp(-30, 12) + 0 * points[..., 2:]

    def raw_colour(self, points, directions):
        return points


def test_depth_is_in_world_units(small):
    """A wall at one world depth is rendered at that depth from every view, although the field lies in a cube."""
    model = small.pipeline.model.eval()
    model.field.coarse = model.field.fine = Wall(model.warp, -3.0)
    model.field.config = replace(model.field.config, coarse_samples=128, fine_samples=128)
    for camera in range(3):
        bundle = small.pipeline.datamanager.train_dataset.cameras.generate_rays(camera).flatten()
        with torch.no_grad():
            outputs = model(bundle)
        points = bundle.origins + outputs["depth"] * bundle.directions
        torch.testing.assert_close(points[:, 2], torch.full_like(points[:, 2], -3), atol=0.05, rtol=0)
        torch.testing.assert_close(outputs["accumulation"], torch.ones_like(outputs["accumulation"]))


def test_rays_with_their_own_bounds_may_point_anywhere(trainer):
    bundle = RayBundle(
        origins=torch.tensor([[0.0, 0, -3], [0.1, 0, -4]]),
        directions=torch.tensor([[0.0, 0, 1], [1, 0, 0]]),
        pixel_area=torch.ones(2, 1),
        nears=torch.zeros(2, 1),
        fars=torch.full((2, 1), 0.2),
    )
    with torch.no_grad():
        outputs = trainer.pipeline.model.eval()(bundle)
    assert all(torch.isfinite(value).all() for value in outputs.values())
    assert (outputs["depth"] <= 0.2).all()


def test_a_collider_changes_nothing(scene, tmp_path):
    """Its bounds, in units of the world, would cut the rays in evaluation alone."""
    model = make_trainer("sine-nerf-small", scene, tmp_path, enable_collider=True).pipeline.model.eval()
    bundle = RayBundle(torch.zeros(1, 3), torch.tensor([[0.0, 0, -1]]), torch.ones(1, 1))
    with torch.no_grad():
        torch.testing.assert_close(model(bundle), model.get_outputs(bundle))
    assert bundle.nears is None


def test_training_lowers_the_loss(scene, tmp_path):
    trainer = make_trainer(
        "sine-nerf-small", scene, tmp_path, steps=120, width=32, depth=3, coarse_samples=16, fine_samples=12
    )
    losses = [float(trainer.train_iteration(step)[1]["rgb"]) for step in range(120)]
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:5])


def test_weights_are_built_once_per_step_and_once_per_image(small, monkeypatch):
    builds = []
    for layer in (m for m in small.pipeline.model.modules() if isinstance(m, FactoredLinear)):
        build = layer.build
        monkeypatch.setattr(layer, "build", lambda build=build: builds.append(1) or build())
    layers = sum(isinstance(m, FactoredLinear) for m in small.pipeline.model.modules())
    small.train_iteration(0)
    assert len(builds) == layers
    builds.clear()
    small.pipeline.model.config.eval_num_rays_per_chunk = 100
    small.pipeline.eval()
    small.pipeline.model.get_outputs_for_camera(small.pipeline.datamanager.train_dataset.cameras[:1])
    assert len(builds) == layers


def test_a_random_background_lies_behind_each_networks_image(scene, tmp_path):
    trainer = make_trainer("sine-nerf", scene, tmp_path, background_color="random")
    model, black = trainer.pipeline.model, torch.zeros(5, 3)
    outputs = {"rgb": black, "accumulation": torch.ones(5, 1), "rgb_coarse": black}
    losses = model.get_loss_dict({**outputs, "accumulation_coarse": torch.zeros(5, 1)}, {"image": torch.zeros(5, 4)})
    assert losses["rgb_coarse"] == 0 < losses["rgb"]  # the coarse image is as transparent as the photograph
    trained = model(trainer.pipeline.datamanager.next_train(0)[0])
    assert trained["accumulation_coarse"].shape == trained["accumulation"].shape


@pytest.mark.parametrize("warp", ["ndc", "box"])
def test_rays_with_their_own_bounds_see_the_same_density(scene, tmp_path, monkeypatch, warp):
    """As in the viewer's crop box: densities are per cube unit, but distances in world units."""
    config = tiny_config("sine-nerf-small", scene, tmp_path)
    config.pipeline.datamanager.dataparser.warp = warp
    model = set_up(config).pipeline.model.eval()
    monkeypatch.setattr(model.field, "query", lambda network, x, d: (torch.full_like(x[..., :1], 2.0), x))
    origins = torch.tensor([[0.1, 0.0, -1.2]] if warp == "ndc" else [[0.1, 0.0, 0.8]])
    directions = torch.nn.functional.normalize(torch.tensor([[0.1, 0.2, -1.0]]), dim=-1)
    near, far = torch.tensor([[0.3]]), torch.tensor([[1.4]])
    start, end = (model.warp.warp_points(origins + t * directions) for t in (near, far))
    length = (end - start).norm()
    coarse, _ = model.field.sample(between(model.warp, origins, directions, near, far), directions)
    assert float(coarse.weights.sum()) == pytest.approx(1 - float(torch.exp(-2.0 * length)), rel=1e-4)
