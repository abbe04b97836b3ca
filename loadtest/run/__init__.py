"""`python -m loadtest run`: an open-loop run against a running mesh; latencies count from the schedule."""
