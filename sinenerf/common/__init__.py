"""What every room uses: files, settings, devices, budgets, and what is said to the user."""
