"""`mesh drift`: compares the requests of a running mesh with the training, and makes references."""
