"""Decimation and a codec for meshes as programs: settings, and the size of the file that is scored."""

import pytest
import trimesh

from sinenerf.rd.programs.decimated_mesh import DecimatedMeshProgram, Draco, Meshopt, decimated_by_quadrics
from sinenerf.rd.programs.shapes import EVALUATION


@pytest.fixture(params=[Draco, Meshopt])
def program(request):
    return DecimatedMeshProgram(request.param())


def test_missing_settings_are_filled_in(program):
    assert program.resolve({"bits": 8}) == {"faces": 2000, "bits": 8} | EVALUATION


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"faces": 3}, "faces is 3: it must be a whole number of at least 4"),
        ({"faces": 1e3}, "faces is 1000.0: it must be a whole number of at least 4"),
        ({"bits": 0}, "bits is 0: it must be a whole number from 1 to {most_bits}"),
        ({"bits": 31}, "bits is 31: it must be a whole number from 1 to {most_bits}"),
        ({"width": 9}, "no setting of {name} is called 'width': there are faces and bits"),
        ({"eval_points": 7}, "eval_points is 7: it must be a whole number of at least 8"),
    ],
)
def test_impossible_settings_are_refused(settings, message, program):
    codec = program.codec
    with pytest.raises(ValueError) as refused:
        program.resolve(settings)
    assert str(refused.value) == message.format(name=codec.name, most_bits=codec.most_bits)


@pytest.mark.parametrize("place", [0.0, 1e6])
def test_decimation_keeps_the_form(place):
    mesh = trimesh.creation.torus(1.0, 0.4, 128, 64)
    mesh.apply_translation([place] * 3)
    fewer = decimated_by_quadrics(mesh, 800)
    assert 780 < len(fewer.faces) <= 800 and fewer.is_watertight
    assert fewer.volume == pytest.approx(mesh.volume, rel=0.01)
    assert decimated_by_quadrics(mesh, len(mesh.faces)) is mesh
    fin = trimesh.Trimesh([*mesh.vertices, mesh.bounds[1]], [*mesh.faces, (*mesh.faces[0][:2], len(mesh.vertices))])
    with pytest.raises(ValueError, match="more than two faces share an edge"):
        decimated_by_quadrics(fin, 800)


def test_the_decoded_file_is_scored(data, tmp_path, program):
    artefact = tmp_path / "a.sine"
    settings = program.resolve({"faces": 100, "bits": 8, "eval_points": 20000, "eval_resolution": 32})
    measured = program.run(data / "box.ply", settings, artefact)
    file = artefact.with_suffix(program.codec.suffix).read_bytes()
    assert measured.bytes == {"total": len(file)} and measured.parameters is None and measured.history == []
    assert 0 < measured.decode_seconds < 5
    assert len(program.codec.decode(file).faces) <= 100 and measured.quality["iou"] > 0.9
