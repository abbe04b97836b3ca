"""Player features in a DynamoDB table: how items look, how they are read and written. Loads aiobotocore."""
