"""`mesh features`: fills and reads the store of player features."""
