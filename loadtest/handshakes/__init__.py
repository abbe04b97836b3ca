"""Full TLS handshakes a second at one supervisor, beside valid traffic."""
