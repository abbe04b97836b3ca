"""Real servers, each a process of its own on loopback: DynamoDB, S3, and a DynamoDB that fails on demand."""
