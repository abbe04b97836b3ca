"""The locust load test: players who log in, scenarios for their number, and a tab with the time of each stage."""
