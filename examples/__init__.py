"""Games that run out of the box, to learn the mesh on and to try it with."""
