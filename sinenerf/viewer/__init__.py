"""Looking at fields: the page of `sinenerf view`, what it exports, and `sinenerf snapshot`."""
