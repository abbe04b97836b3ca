"""What players from DynamoDB cost: CPU a key, and the mesh's throughput beside SQLite."""
