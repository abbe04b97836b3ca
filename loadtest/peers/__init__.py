"""What the mesh is compared with, and the mesh itself: each started as its users would start it."""
