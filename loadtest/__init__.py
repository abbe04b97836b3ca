"""Load tests: what the mesh bears, and how it compares with what one would use instead."""

import mesh  # noqa: F401 (says what gRPC must hear before it is imported)
