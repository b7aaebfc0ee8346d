"""From photographs to a .sine file, a film and a page: `sinenerf scene`."""
