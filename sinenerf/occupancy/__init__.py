"""From a mesh to an occupancy field and back: labels, sampling, fitting, meshing, metrics."""
