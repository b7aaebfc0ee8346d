"""Rate-distortion: sweeps, their result files, and the plots and comparisons made from them."""
