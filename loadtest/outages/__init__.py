"""The store of players fails in every way while the mesh is asked: what callers get, and whether it is true."""
