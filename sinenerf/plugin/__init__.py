"""The nerfstudio plugin: everything that nerfstudio calls. Nothing in radiance, occupancy or codec imports it."""
