"""Player features in a DynamoDB table: how items look, how they are read and written. Its client loads aiobotocore."""
