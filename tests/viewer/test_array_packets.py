"""The encoding of arrays for the page."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sinenerf.viewer.array_packets import differences, pack, quantise, unpack


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.integers(0, 2**32 - 1))
def test_packets_keep_positions_and_faces(count, seed):
    random = np.random.default_rng(seed)
    vertices = 10 * random.standard_normal((count + 3, 3))
    faces = random.integers(0, count + 3, (count, 3))
    fractions, low, size = quantise(vertices)
    data = pack({"a": 1}, {"positions": fractions, "faces": differences(faces)})
    header, arrays = unpack(data)
    assert header == {"a": 1}
    decoded = np.array(low) + np.array(size) * arrays["positions"].reshape(-1, 3) / 65535
    assert np.abs(decoded - vertices).max() <= max(size) / 65535
    np.testing.assert_array_equal(np.cumsum(arrays["faces"]).reshape(-1, 3), faces)
