"""`mesh status`: the state of a running mesh, from its metrics."""
