"""The pictures that are taken from films."""

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from sinenerf.capture.film_frames import FilmFrame, read_frames, sharpest_frames
from sinenerf.capture.options import CaptureError


def write_greys(path, count):
    """A film of flat pictures, of which number n has the grey value n."""
    writer = imageio_ffmpeg.write_frames(path, (64, 48), codec="ffv1", pix_fmt_out="gray", macro_block_size=1)
    writer.send(None)
    for number in range(count):
        writer.send(np.full((48, 64, 3), number, np.uint8))
    writer.close()


def test_a_film_of_ten_bits_gives_whole_pictures(tmp_path):
    """As telephones make them: ffmpeg wrote 16 bits for these, which were read as 8."""
    path, shown = tmp_path / "a.mkv", [np.full((48, 64, 3), 50 * number, np.uint8) for number in range(5)]
    writer = imageio_ffmpeg.write_frames(path, (64, 48), codec="ffv1", pix_fmt_out="yuv420p10le")
    writer.send(None)
    for picture in shown:
        writer.send(picture)
    writer.close()
    frames = sharpest_frames(path, 5, lambda done: None)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(np.stack([np.asarray(picture) for picture in read_frames(path, frames)]), shown, atol=2)


@pytest.mark.parametrize("at_once", [1000, 100])
def test_more_than_a_hundred_pictures_are_taken(tmp_path, monkeypatch, at_once):
    """ffmpeg refused the sum of their numbers, which was read as a film of no pictures."""
    monkeypatch.setattr("sinenerf.capture.film_frames.AT_ONCE", at_once)
    write_greys(tmp_path / "a.mkv", 210)
    frames = [FilmFrame(number, 0.0) for number in range(0, 210, 2)]
    greys = [picture.getpixel((32, 24))[0] for picture in read_frames(tmp_path / "a.mkv", frames)]
    np.testing.assert_allclose(greys, range(0, 210, 2), atol=1)


def test_pictures_that_cannot_be_read_again_are_an_error(tmp_path):
    write_greys(tmp_path / "a.mkv", 5)
    with pytest.raises(CaptureError, match="only 2 of the 3 chosen pictures can be read again"):
        list(read_frames(tmp_path / "a.mkv", [FilmFrame(number, 0.0) for number in (1, 3, 7)]))


def test_what_ffmpeg_refuses_is_said(tmp_path, monkeypatch):
    """Its last line was, which is the same whatever the cause."""
    write_greys(tmp_path / "a.mkv", 5)
    monkeypatch.setattr("sinenerf.capture.film_frames._any_of", lambda numbers: "no expression")
    message = r"a\.mkv: ffmpeg makes no pictures of this film \([^[]*noexpression.*\)\. Convert it to \.mp4, or give"
    with pytest.raises(CaptureError, match=message):
        list(read_frames(tmp_path / "a.mkv", [FilmFrame(1, 0.0)]))


def test_a_name_with_a_colon_is_no_protocol(tmp_path, monkeypatch):
    """In its own folder such a film could not be read."""
    monkeypatch.chdir(tmp_path)
    name = Path("2024-01-01T12:30:45.mkv")
    write_greys(tmp_path / name, 5)
    frames = sharpest_frames(name, 5, lambda done: None)
    assert len(list(read_frames(name, frames))) == 5
