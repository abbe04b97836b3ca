"""`mesh outcome`: reports outcomes of decisions, one by its options or many from a file."""
