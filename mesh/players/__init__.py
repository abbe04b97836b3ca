"""Player features: their format, their stores, and loading them from files."""
