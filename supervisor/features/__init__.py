"""Where a player's features come from: the port, the cache in front of it, and one adapter per store."""
