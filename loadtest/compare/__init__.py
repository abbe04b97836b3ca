"""`python -m loadtest compare`: this mesh beside what one would use instead, on the same workloads."""
