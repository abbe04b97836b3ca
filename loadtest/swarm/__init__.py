"""What locust plays: players who log in, scenarios of how many there are, and a tab of where the time goes."""
