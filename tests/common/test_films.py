"""Films have every picture, even sides and rare colours; a film that fails leaves no file."""

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from sinenerf.common.films import write_film


def pictures(count):
    """A dull gradient with a small yellow square, which moves."""
    for index in range(count):
        picture = np.linspace(60, 140, 45 * 61 * 3).reshape(45, 61, 3).astype(np.uint8)
        picture[10:14, 5 * index : 5 * index + 4] = (240, 220, 20)
        yield picture


def test_a_gif_keeps_rare_colours(tmp_path):
    write_film(tmp_path / "x.gif", pictures(4), 20)
    with Image.open(tmp_path / "x.gif") as film:
        assert (film.n_frames, film.size, film.info["duration"], film.info["loop"]) == (4, (61, 45), 50, 0)
        for index in range(4):
            film.seek(index)
            square = np.asarray(film.convert("RGB"))[10:14, 5 * index : 5 * index + 4].astype(int)
            assert np.abs(square - (240, 220, 20)).mean() < 25


def test_an_mp4_has_even_sides(tmp_path):
    write_film(tmp_path / "x.mp4", pictures(5), 20)
    assert iio.imread(tmp_path / "x.mp4").shape == (5, 44, 60, 3)


@pytest.mark.parametrize("name", ["x.gif", "x.mp4"])
def test_a_film_that_fails_leaves_nothing(name, tmp_path):
    def failing():
        yield next(pictures(1))
        raise RuntimeError("the renderer fails")

    with pytest.raises(RuntimeError, match="the renderer fails"):
        write_film(tmp_path / name, failing(), 20)
    assert list(tmp_path.iterdir()) == []
