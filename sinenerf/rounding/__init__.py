"""Training with rounded numbers: by learned steps, or by the curvature of the loss."""
