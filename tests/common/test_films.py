"""Films: as many pictures as were given, even sides, rare colours kept, nothing left of a film that failed."""

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from sinenerf.common.films import open_film


def pictures(count):
    """A dull gradient with a small yellow square, which moves."""
    for index in range(count):
        made = np.linspace(60, 140, 45 * 61 * 3).reshape(45, 61, 3).astype(np.uint8)
        made[10:14, 5 * index : 5 * index + 4] = (240, 220, 20)
        yield made


def write(path, count):
    with open_film(path, 20) as add:
        for picture in pictures(count):
            add(picture)


def test_a_gif_keeps_rare_colours(tmp_path):
    write(tmp_path / "x.gif", 4)
    with Image.open(tmp_path / "x.gif") as made:
        assert (made.n_frames, made.size, made.info["duration"], made.info["loop"]) == (4, (61, 45), 50, 0)
        for index in range(4):
            made.seek(index)
            seen = np.asarray(made.convert("RGB"))[10:14, 5 * index : 5 * index + 4].astype(int)
            assert np.abs(seen - (240, 220, 20)).mean() < 25


def test_an_mp4_has_even_sides(tmp_path):
    write(tmp_path / "x.mp4", 5)
    assert iio.imread(tmp_path / "x.mp4").shape == (5, 44, 60, 3)


@pytest.mark.parametrize("name", ["x.gif", "x.mp4"])
def test_a_film_that_fails_leaves_nothing(name, tmp_path):
    with pytest.raises(RuntimeError), open_film(tmp_path / name, 20) as add:
        add(next(pictures(1)))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
