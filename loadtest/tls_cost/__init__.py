"""The cost of TLS: a mesh with TLS against one without, in one run."""
