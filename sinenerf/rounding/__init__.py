"""Rounding a network's parameters while it trains: by learned steps, or by the curvature of the loss."""
