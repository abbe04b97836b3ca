"""`mesh verify`: compares a running version with LightGBM before players see it."""
