"""Numbers to bytes and back: quantisation in training, entropy coding, the container. Knows no field."""
