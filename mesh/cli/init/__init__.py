"""`mesh init`: writes the first catalog of a game."""
