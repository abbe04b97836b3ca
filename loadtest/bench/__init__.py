"""`python -m loadtest bench`: how the mesh does on the reference workloads, beside a monolith and beside the limit."""
