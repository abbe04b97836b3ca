"""Scores logged decisions again, with LightGBM's package and without the code of the services."""
