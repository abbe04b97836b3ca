"""Load tests: the capacity and the latency of the mesh, and comparisons with other ways to serve an ensemble."""

import mesh  # noqa: F401 (sets environment variables that gRPC reads when it is imported)
