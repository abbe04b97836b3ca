"""Servers for tests, each in its own process on the loopback interface: DynamoDB, S3, and a DynamoDB with faults."""
