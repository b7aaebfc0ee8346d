"""Pictures of a scene's outputs."""

import pytest
import torch
from support.radiance_fields import a_field

from sinenerf.radiance.render import picture


@pytest.mark.parametrize(
    ("accumulation", "shown"),
    [([1.0, 1.0, 1.0, 0.5, 0.0], [255, 85, 0, 85, 0]), ([0.1, 0.2, 0.0, 0.3, 0.0], [0] * 5)],
)
def test_depth_is_dark_where_nothing_is(monkeypatch, accumulation, shown):
    """What the median of an empty ray says was brightest, and left the object a narrow range."""
    field = a_field()
    depth = 1 / torch.tensor([1.0, 0.5, 0.25, 0.75, 1.5])[None, :, None]
    outputs = {"depth": depth, "accumulation": torch.tensor(accumulation)[None, :, None]}
    monkeypatch.setattr(field, "render", lambda *arguments: outputs)
    assert field.capture is not None
    found = picture(field, field.capture.home, "depth")
    assert found.shape == (1, 5, 3) and abs(found[0, :, 0].astype(int) - shown).max() <= 1
