"""A game with a rush of log-ins in the evening: 15 models of different sizes, and badly tuned HPAs."""
