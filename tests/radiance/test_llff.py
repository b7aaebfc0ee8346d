"""Reading LLFF scenes. Each fault in a scene raises an error whose message, one line, names the culprit."""

import shutil

import numpy as np
import pytest
from PIL import Image

from sinenerf.radiance import llff


@pytest.fixture
def scene_copy(scene, tmp_path):
    return shutil.copytree(scene, tmp_path / "scene")


def edit_table(scene, change):
    table = np.load(scene / "poses_bounds.npy")
    np.save(scene / "poses_bounds.npy", change(table))


def load(scene, factor=1, every=8):
    views = llff.read_poses_bounds(scene / "poses_bounds.npy")
    paths = llff.find_images(scene, factor)
    size = llff.check_images(paths, views, scene / "poses_bounds.npy")
    return views, paths, size, llff.hold_out(len(paths), every)


def assert_refused(scene, *words, **options):
    with pytest.raises(llff.SceneError) as caught:
        load(scene, **options)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def set_value(view, column, value):
    def change(table):
        table[view, column] = value
        return table

    return change


def test_a_good_scene_loads(scene):
    views, paths, size, (train, test) = load(scene)
    assert size == (36, 48) and len(paths) == 9
    assert list(test) == [0, 8] and list(train) == list(range(1, 8))
    rotations = views.camera_to_world[:, :, :3]
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-6)
    table = np.load(scene / "poses_bounds.npy")[0, :15].reshape(3, 5)
    np.testing.assert_allclose(views.camera_to_world[0, :, 0], table[:, 1])  # right
    np.testing.assert_allclose(views.camera_to_world[0, :, 1], -table[:, 0])  # up is minus down
    np.testing.assert_allclose(views.camera_to_world[0, :, 2], table[:, 2])  # backwards


def test_missing_table(scene_copy):
    (scene_copy / "poses_bounds.npy").unlink()
    assert_refused(scene_copy, "poses_bounds.npy", "no such file")


def test_pickles_are_not_opened(scene_copy):
    np.save(scene_copy / "poses_bounds.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert_refused(scene_copy, "poses_bounds.npy", "not a readable")


def test_wrong_shape(scene_copy):
    edit_table(scene_copy, lambda t: t[:, :16])
    assert_refused(scene_copy, "poses_bounds.npy", "(9, 16)", "(views, 17)")


@pytest.mark.parametrize("column", [0, 3, 15])
def test_nan(scene_copy, column):
    edit_table(scene_copy, set_value(4, column, np.nan))
    assert_refused(scene_copy, "view 4", "NaN")


def test_not_orthonormal(scene_copy):
    edit_table(scene_copy, set_value(2, 0, 1.5))
    assert_refused(scene_copy, "view 2", "orthonormal")


def test_mirrored(scene_copy):
    def mirror(table):
        table[3, 0:15:5] *= -1
        return table

    edit_table(scene_copy, mirror)
    assert_refused(scene_copy, "view 3", "mirror")


def test_near_beyond_far(scene_copy):
    edit_table(scene_copy, set_value(5, 15, 100.0))
    assert_refused(scene_copy, "view 5", "near", "far")


def test_no_focal_length(scene_copy):
    edit_table(scene_copy, set_value(1, 14, 0.0))
    assert_refused(scene_copy, "view 1", "positive")


def test_fewer_images(scene_copy):
    next((scene_copy / "images").iterdir()).unlink()
    assert_refused(scene_copy, "images", "8 photographs", "9 views")


def test_more_images(scene_copy):
    first = llff.list_images(scene_copy / "images")[0]
    shutil.copy(first, scene_copy / "images" / "zzz.png")
    assert_refused(scene_copy, "10 photographs", "9 views")


def test_truncated_image(scene_copy):
    path = llff.list_images(scene_copy / "images")[6]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert_refused(scene_copy, path.name, "cannot be decoded")


def test_what_only_has_the_name_of_a_photograph(scene_copy):
    path = llff.list_images(scene_copy / "images")[2]
    path.write_text("Sorry, this photograph has moved.")
    assert_refused(scene_copy, path.name, "is no photograph: its content is of no known format")
    path.unlink()
    path.mkdir()
    assert_refused(scene_copy, path.name, "is a folder, though its name is that of a photograph")


def test_exif_orientation_is_ignored(scene_copy):
    """As in COLMAP and nerfstudio."""
    for path in llff.list_images(scene_copy / "images"):
        with Image.open(path) as image:
            tags = image.getexif()
            tags[0x0112] = 6  # a quarter turn
            image.convert("RGB").save(path.with_suffix(".jpg"), exif=tags)
        path.unlink()
    assert load(scene_copy)[2] == (36, 48)
    with Image.open(llff.find_images(scene_copy, 2)[0]) as small:
        assert small.size == (24, 18)


def test_mixed_sizes(scene_copy):
    path = llff.list_images(scene_copy / "images")[7]
    with Image.open(path) as image:
        smaller = image.resize((24, 18))
    smaller.save(path)
    assert_refused(scene_copy, path.name, "view 7", "24x18", "48x36")


def test_other_proportions(scene_copy):
    for path in llff.list_images(scene_copy / "images"):
        with Image.open(path) as image:
            square = image.resize((48, 48))
        square.save(path)
    assert_refused(scene_copy, "view 0", "48x48", "48x36")


@pytest.mark.parametrize("mode", ["P", "1", "LA", "I;16", "CMYK"])
@pytest.mark.parametrize("factor", [1, 2])
def test_pixel_formats_that_nerfstudio_misreads(scene_copy, mode, factor):
    """It would take palette indices, bits and inks for colours."""
    path = llff.list_images(scene_copy / "images")[5]
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L"), np.uint16)
        other = Image.fromarray(257 * grey) if mode == "I;16" else image.convert(mode)
    path.unlink()
    path = path.with_suffix(".jpg" if mode == "CMYK" else ".png")
    other.save(path)
    assert_refused(scene_copy, path.name, f"its pixels are {mode}", "save it as 8-bit RGB", factor=factor)
    assert not (scene_copy / "images_2").exists()


@pytest.mark.parametrize("factor", [1, 2])
def test_mixed_alpha_channels(scene_copy, factor):
    path = llff.list_images(scene_copy / "images")[5]
    with Image.open(path) as image:
        image.convert("RGBA").save(path)
    assert_refused(
        scene_copy, path.name, "is RGBA, but the first photograph is RGB", "an alpha channel, or none", factor=factor
    )
    assert not (scene_copy / "images_2").exists()


def test_grey_and_colour_photographs_may_be_mixed(scene_copy):
    path = llff.list_images(scene_copy / "images")[5]
    with Image.open(path) as image:
        image.convert("L").save(path)
    assert load(scene_copy)[2] == (36, 48)


def test_single_view(scene_copy):
    for path in llff.list_images(scene_copy / "images")[1:]:
        path.unlink()
    edit_table(scene_copy, lambda t: t[:1])
    assert_refused(scene_copy, "single view")


@pytest.mark.parametrize("every", [0, 1])
def test_empty_hold_out(scene, every):
    assert_refused(scene, "hold-out", "2 or more", every=every)


def test_no_photographs(scene_copy):
    shutil.rmtree(scene_copy / "images")
    assert_refused(scene_copy, "images_4", "no photographs", factor=4)


def test_a_missing_size_is_made_once_and_completely(scene_copy, monkeypatch):
    paths = llff.find_images(scene_copy, 4)
    assert [p.parent.name for p in paths] == ["images_4"] * 9
    with Image.open(paths[0]) as image:
        assert image.size == (12, 9)
    monkeypatch.setattr(llff, "shrink_images", None)  # a second call would fail
    assert llff.find_images(scene_copy, 4) == paths


def test_a_failed_shrink_leaves_nothing(scene_copy):
    path = llff.list_images(scene_copy / "images")[6]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(llff.SceneError, match=path.name):
        llff.find_images(scene_copy, 4)
    assert {p.name for p in scene_copy.iterdir()} == {"images", "poses_bounds.npy", "scene.json"}


def test_two_photographs_of_the_same_name_cannot_both_be_shrunk(scene_copy):
    path = llff.list_images(scene_copy / "images")[3]
    with Image.open(path) as image:
        image.save(path.with_suffix(".jpg"))
    assert_refused(scene_copy, "image003.png", "image003.jpg", "images_2", "rename one of them", factor=2)
    assert not (scene_copy / "images_2").exists()


def test_default_factor(scene_copy):
    assert llff.default_factor(scene_copy, 48, 1100) == 1
    assert llff.default_factor(scene_copy.parent, 4032, 1100) == 4
    (scene_copy / "images").rename(scene_copy / "images_8")
    assert llff.default_factor(scene_copy, 4032, 1100) == 8


def test_empty_table(scene_copy):
    edit_table(scene_copy, lambda table: table[:0])
    assert_refused(scene_copy, "poses_bounds.npy", "shape (0, 17)")


def test_a_photograph_too_large_to_decode(scene_copy, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert_refused(scene_copy, "cannot be decoded", "decompression bomb")


def test_two_processes_may_make_the_same_size_at_once(scene_copy, monkeypatch):
    load_image, before = llff.load_image, {path.name for path in scene_copy.iterdir()}

    def load_while_another_process_writes(path):
        (scene_copy / "images_2").mkdir(exist_ok=True)
        shutil.copy(path, scene_copy / "images_2")
        return load_image(path)

    monkeypatch.setattr(llff, "load_image", load_while_another_process_writes)
    assert len(llff.find_images(scene_copy, 2)) == 9
    assert {path.name for path in scene_copy.iterdir()} == before | {"images_2"}  # no partial folder remains
