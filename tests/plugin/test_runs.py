"""Finding and opening a run that nerfstudio wrote."""

import shutil

import pytest
import torch
from support.commands import call_sinenerf

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.plugin.runs import open_run


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


def test_a_moved_run_opens(small, tmp_path):
    small.config.save_config()
    small.save_checkpoint(3)
    (small.checkpoint_dir / "note.txt").write_text("of the user's")
    moved = shutil.copytree(small.base_dir, tmp_path / "moved")
    shutil.rmtree(small.checkpoint_dir)
    theirs = dict(open_run(moved).model.field.named_parameters())
    for name, ours in small.pipeline.model.field.named_parameters():
        torch.testing.assert_close(theirs[name], ours)
