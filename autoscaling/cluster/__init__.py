"""A simulated cluster around the HPAs: load, models and their queues, pods, and metrics with a delay."""
