"""TLS of every hop: certificates from files, their rotation, and the names of peers."""
