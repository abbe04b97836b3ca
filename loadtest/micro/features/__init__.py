"""The cost of players from DynamoDB: CPU per key, and the throughput of the mesh compared with SQLite."""
