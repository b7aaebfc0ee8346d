"""Viewing fields: the page of `sinenerf view`, its export as one file, and `sinenerf snapshot`."""
