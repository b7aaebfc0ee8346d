"""Finding and opening a run that nerfstudio wrote."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from support.commands import call_sinenerf

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from nerfstudio.cameras.cameras import Cameras

from sinenerf.plugin.runs import capture_of_run, open_run
from sinenerf.radiance.warps import NDC


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: shutil.rmtree(run / "nerfstudio_models"), "has no checkpoint: "),
        (lambda run: next(run.glob("nerfstudio_models/*")).write_bytes(b"broken"), "no checkpoint that can be read"),
        (lambda run: (run / "config.yml").write_text("a: 1"), "config.yml: cannot be opened (AssertionError"),
        (lambda run: (run / "config.yml").write_text("{"), "config.yml: cannot be opened (ParserError"),
    ],
)
def test_error_for_a_run_that_cannot_be_opened_is_one_line(small, tmp_path, spoil, message):
    small.config.save_config()
    small.save_checkpoint(0)
    spoil(small.base_dir)
    refused = call_sinenerf("compress", small.base_dir, "--output", tmp_path / "x.sine")
    assert refused.returncode == 1 and message in refused.stderr.splitlines()[-1], refused.stderr
    assert refused.stderr.splitlines()[-1].startswith("sinenerf: ")


def test_home_has_the_lens_of_the_widest_photograph():
    """Of the first, a portrait, it was: photographs were then scored smaller than they were trained on."""
    poses, sizes = torch.eye(4)[:3].expand(3, 3, 4), torch.tensor([[24, 32], [32, 24], [32, 24]])
    cameras = Cameras(poses, 40.0, 40.0, sizes[:, :1] / 2.0, sizes[:, 1:] / 2.0, sizes[:, :1], sizes[:, 1:])
    names = [Path(f"{i}.jpg") for i in range(3)]
    parsed = SimpleNamespace(dataparser_transform=torch.eye(4)[:3], dataparser_scale=1.0)
    data = SimpleNamespace(
        train_dataparser_outputs=parsed,
        train_dataset=SimpleNamespace(cameras=cameras, image_filenames=names),
        eval_dataset=SimpleNamespace(image_filenames=[]),
        config=SimpleNamespace(dataparser=None),
    )
    run = SimpleNamespace(datamanager=data, model=SimpleNamespace(warp=NDC(0.6, 0.45)))
    home = capture_of_run(run).home
    assert (home.width, home.height, home.cx, home.cy) == (32, 24, 16, 12)


def test_a_moved_run_opens(small, tmp_path):
    small.config.save_config()
    small.save_checkpoint(3)
    (small.checkpoint_dir / "note.txt").write_text("of the user's")
    moved = shutil.copytree(small.base_dir, tmp_path / "moved")
    shutil.rmtree(small.checkpoint_dir)
    theirs = dict(open_run(moved).model.field.named_parameters())
    for name, ours in small.pipeline.model.field.named_parameters():
        torch.testing.assert_close(theirs[name], ours)
