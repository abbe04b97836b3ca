"""What every adapter of a port must do, asked of each of them over the real thing."""
