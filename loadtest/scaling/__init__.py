"""`python -m loadtest scaling`: CPU of a replica at several numbers of replicas, measured and simulated."""
