"""Tensors to bytes and back: entropy coding, the table of tensors, the container. Independent of what a file holds."""
