"""Where the replicas of each model are: the port, and one adapter per place to look."""
