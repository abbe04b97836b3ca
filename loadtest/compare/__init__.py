"""Comparisons of the mesh with its peers and with the ideal mesh: the command `compare` and its preset `bench`."""
