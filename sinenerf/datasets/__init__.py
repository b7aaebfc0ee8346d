"""Scenes to train on: downloading published ones, generating a synthetic one."""
