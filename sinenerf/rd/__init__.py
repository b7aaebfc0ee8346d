"""Rate-distortion: sweeps, their result files, and what is made of them."""
