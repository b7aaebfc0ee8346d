"""Photographs or a film in, a scene with known cameras out, by structure from motion (pycolmap)."""
