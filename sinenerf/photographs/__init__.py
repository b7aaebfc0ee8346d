"""Photographs with cameras, read from any capture on disk: LLFF folders, transforms.json, COLMAP models."""
