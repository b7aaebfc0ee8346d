"""Compression of a finished field."""

import pytest
from support.mesh_shapes import terrain

from sinenerf.occupancy.compress import compress
from sinenerf.occupancy.evaluate import evaluate
from sinenerf.occupancy.fit import fit_mesh
from sinenerf.occupancy.mesh_input import read_mesh


@pytest.mark.slow
def test_a_shell_stays_one(tmp_path, capsys):
    """Trained on the sheet itself, which encloses nothing, it became half of the cube."""
    path, file, small = tmp_path / "sheet.ply", tmp_path / "sheet.sine", tmp_path / "small.sine"
    terrain().export(path)
    fit_mesh(path, file, thickness="20%", bits=32, width=24, rank=4, steps=300, batch=2048, pool=20_000)
    field = compress(file, small, bytes=700, mesh=path, thickness="20%", steps=100)
    sheet, _ = read_mesh(path, sheet=True)
    score = evaluate(field, small.stat().st_size, sheet, points=20_000, thickness=0.4)
    assert score.bytes <= 700 and score.iou > 0.85
    assert capsys.readouterr() == ("", "")  # nobody asked for progress


def test_a_thickness_needs_a_mesh(tmp_path):
    with pytest.raises(ValueError, match="--thickness is that of a shell around a mesh: give --mesh"):
        compress(tmp_path / "a.sine", tmp_path / "b.sine", bytes=700, thickness="20%")
