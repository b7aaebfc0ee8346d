"""Occupancy fields: reading meshes, labelling and sampling points, fitting, extracting surfaces, metrics."""
