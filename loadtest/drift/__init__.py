"""`python -m loadtest drift`."""
