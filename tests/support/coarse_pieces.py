"""Fields of tests, trained for a few steps, are noise, whose surface fills the cube."""

import pytest


@pytest.fixture(autouse=True)
def pieces_on_coarse_cells(monkeypatch):
    """The number of pieces is sought on 32 cells a side, which takes a tenth of a second in place of three seconds."""
    from sinenerf.occupancy import training

    monkeypatch.setattr(training, "PIECES_RESOLUTION", 32)
