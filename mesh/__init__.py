"""What the supervisor and the model workers must say alike, and the `mesh` command."""

__version__ = "0.1.0"
