"""The features of players: the port of stores, the cache in front of a store, and one adapter for each store."""
