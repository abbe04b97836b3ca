"""Real servers for the tests, each a process of its own on loopback: DynamoDB, S3, and one that fails on demand."""
