"""Shared utilities: files and checkpoints, settings and their checks, devices, optimisers, meshes, films, messages."""
