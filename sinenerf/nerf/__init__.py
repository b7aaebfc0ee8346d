"""The nerfstudio plugin: the `llff-data` parser and the methods `sine-nerf` and `sine-nerf-small`."""
