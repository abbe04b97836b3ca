"""Player features in a DynamoDB table: item layouts, reads and writes. Only its client imports aiobotocore."""
