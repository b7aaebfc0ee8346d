"""Shared by these tests."""

from support.coarse_pieces import pieces_on_coarse_cells  # noqa: F401  # a fixture that all of them use
