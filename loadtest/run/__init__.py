"""`python -m loadtest run`: an open-loop run against a running mesh, its latencies counted from the schedule."""
