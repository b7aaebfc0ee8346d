"""`python -m sinenerf` is the `sinenerf` command."""

from sinenerf.cli import main

if __name__ == "__main__":
    main()
