"""Exposures and refined poses: learned in training, and left out at rendering."""

import math

import pytest
import torch
from support.tiny_runs import make_trainer

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from nerfstudio.cameras.rays import RayBundle

from sinenerf.plugin.training_corrections import Exposures, make_pose_corrections, pose_change
from sinenerf.radiance.volume_rendering import Samples


def test_exposures_are_recovered_around_their_mean():
    random = torch.Generator().manual_seed(0)
    truth, photographs = torch.rand(3000, 3, generator=random), torch.randint(3, (3000,), generator=random)
    gains, offsets = torch.tensor([0.8, 1.0, 1.25]), torch.tensor([0.02, -0.02, 0.0])
    shown = gains[photographs, None] * truth + offsets[photographs, None]
    exposures = Exposures(3)
    optimizer = torch.optim.Adam(exposures.parameters(), 1e-2)
    for _ in range(300):
        loss = (exposures(truth[:, None], photographs)[:, 0] - shown).square().mean() + exposures.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    black, white = (exposures(torch.full((3, 1, 3), level), torch.arange(3))[:, 0] for level in (0.0, 1.0))
    torch.testing.assert_close(white - black, gains[:, None].expand(3, 3), atol=0.02, rtol=0)
    torch.testing.assert_close(black, offsets[:, None].expand(3, 3), atol=0.01, rtol=0)


def rays_of(trainer, camera):
    cameras = trainer.pipeline.datamanager.train_dataset.cameras
    bundle = cameras.generate_rays(torch.full((4, 1), camera), torch.tensor([[9.5, 9.5]] * 4))
    assert isinstance(bundle, RayBundle)
    return bundle


@pytest.fixture
def corrected(scene, tmp_path):
    return make_trainer("sine-nerf-small", scene, tmp_path, exposure=True, refine_poses=True)


def test_only_training_sees_the_exposures(corrected):
    model = corrected.pipeline.model
    with torch.no_grad():
        model.exposures.log_gains[0] -= 20.0  # nothing but the offset is left
        model.exposures.offsets[0] += 0.5
        rendered = model.eval()(rays_of(corrected, 0))["rgb"]
        dark = model.train()(rays_of(corrected, 0))["rgb"]
    torch.testing.assert_close(dark, torch.full((4, 3), 0.5 - 0.5 / model.num_train_data), atol=1e-4, rtol=0)
    assert rendered.std() > 1e-3


@pytest.mark.parametrize(("background", "behind"), [("white", 1.0), ("black", 0.0), ("random", 0.0)])
def test_exposures_change_the_object_and_not_the_background_behind_it(scene, tmp_path, background, behind):
    """The background is put behind the photographs' transparent pixels, whatever their exposure."""
    model = make_trainer("sine-nerf-small", scene, tmp_path, exposure=True, background_color=background).pipeline.model
    with torch.no_grad():
        model.exposures.log_gains += torch.linspace(0, 1, model.num_train_data)[:, None]
        model.exposures.offsets += torch.linspace(0, 0.5, model.num_train_data)[:, None]
    cameras, bins = torch.tensor([[0], [model.num_train_data - 1]]), torch.tensor([[0, 0.5, 1]]).expand(2, -1)
    weights = torch.tensor([[[0.25], [0.0]], [[0.5], [0.25]]])
    samples = Samples(bins, (bins[:, :2, None] + 0.25), weights, torch.full((2, 2, 3), 0.5))
    bundle = RayBundle(torch.zeros(2, 3), torch.ones(2, 3), torch.ones(2, 1), camera_indices=cameras)
    shown = model._exposed(bundle, samples)
    seen = 0.5 * torch.tensor([-0.5, 0.5]).exp() + torch.tensor([-0.25, 0.25])
    opacity = torch.tensor([0.25, 0.75])
    torch.testing.assert_close(shown, (opacity * seen + (1 - opacity) * behind)[:, None].expand(2, 3))


def test_only_training_sees_the_corrected_poses(corrected):
    model = corrected.pipeline.model
    before, at = model.eval()(rays_of(corrected, 0)), []
    model.warp = type("Watched", (), {"warp_rays": lambda self, o, d: at.append((o, d)) or warp.warp_rays(o, d)})()
    warp = model.field.warp
    with torch.no_grad():
        model.pose_corrections.pose_adjustment[0] = torch.tensor([0.1, 0, 0, 0, 0, math.radians(90)])
    model.train()(rays_of(corrected, 0))
    raw = rays_of(corrected, 0)
    torch.testing.assert_close(at[0][0], raw.origins + torch.tensor([0.1, 0, 0]))
    turned = torch.stack([-raw.directions[:, 1], raw.directions[:, 0], raw.directions[:, 2]], dim=1)
    torch.testing.assert_close(at[0][1], turned)
    torch.testing.assert_close(model.eval()(rays_of(corrected, 0))["rgb"], before["rgb"])


def test_both_are_trained_and_their_size_is_told(corrected, capsys):
    model = corrected.pipeline.model
    for step in range(3):
        corrected.train_iteration(step)
    assert model.exposures.log_gains.abs().max() > 0 and model.pose_corrections.pose_adjustment.abs().max() > 0
    corrected._finish()
    assert "poses refined by 0.0" in capsys.readouterr().err
    losses = model.get_loss_dict(model(rays_of(corrected, 0)), {"image": torch.zeros(4, 3)})
    assert {"rgb", "interlevel", "exposures", "camera_opt_regularizer"} == set(losses)


def test_changes_of_poses_are_in_degrees_and_the_captures_units():
    corrections = make_pose_corrections(2)
    with torch.no_grad():
        corrections.pose_adjustment[1] = torch.tensor([0.3, 0.4, 0, math.radians(2), 0, 0])
    change = pose_change(corrections, scale=0.1)
    assert tuple(change) == pytest.approx((1, 2, 2.5, 5))
    assert str(change) == ("poses refined by 1.000 degrees and 2.5 units on average, at most 2.000 degrees and 5 units")
