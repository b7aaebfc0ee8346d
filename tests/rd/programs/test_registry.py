"""The registry: default programs of the datasets, where scenes are found, and the refusal of unknown settings."""

import pytest

from sinenerf.rd.programs.registry import DATASETS, PROGRAMS


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_the_default_program_of_a_dataset_is_registered(name):
    assert DATASETS[name].default_program in PROGRAMS


def test_a_shape_is_its_mesh_and_a_scene_of_photographs_its_folder(data, tmp_path):
    (data / "box.obj").write_text("")
    assert DATASETS["shapes"].find_scene(data, "box") == data / "box.ply"  # .ply before other formats
    (data / "box.ply").unlink()
    assert DATASETS["shapes"].find_scene(data, "box") == data / "box.obj"
    assert DATASETS["shapes"].find_scene(data, "absent") == data / "absent.ply"
    assert DATASETS["photographs"].find_scene(tmp_path, "fern") == tmp_path / "fern"


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - {"draco", "meshopt"}))
def test_an_unknown_setting_of_a_training_is_refused(name):
    given = {"method": "nerfacto"} if name == "nerfstudio" else {}
    with pytest.raises(ValueError, match="no setting is called 'stepts'"):
        PROGRAMS[name].resolve({**given, "steps": 9, "stepts": 9})
