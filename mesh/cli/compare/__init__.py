"""`mesh compare`: a shadow version against the answers of another version, from the supervisors' metrics."""
