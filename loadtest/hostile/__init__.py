"""Hostile clients: they speak HTTP/2, gRPC and HTTP/1.1 by hand, so that they can break every rule."""
