"""Discovery of the replicas of each model: the port and its adapters."""
