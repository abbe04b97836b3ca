"""S3: addresses, the client, uploads."""
