"""What the jobs of a sweep run: one module for each program."""
