"""Data to train on: published scenes to download, a scene and a mesh to generate."""
