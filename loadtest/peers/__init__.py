"""The systems under test: the mesh and the systems that it is compared with, each started as its users start it."""
