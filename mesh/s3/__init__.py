"""Access to S3: addresses, the client and uploads."""
