"""`mesh offer` and `mesh score`: one request to a running mesh, and its answer."""
