"""Load tests: what the mesh bears, and how it compares with what one would use instead."""
