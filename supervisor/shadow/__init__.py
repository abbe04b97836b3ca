"""Shadows: versions whose scores are compared with the answers and that no player sees (docs/decisions/0022)."""
