"""The pictures that are taken from films."""

import imageio_ffmpeg
import numpy as np

from sinenerf.capture.film_frames import read_frames, sharpest_frames


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
