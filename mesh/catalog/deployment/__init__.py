"""What a catalog says of the cluster: blocks, their defaults, and what they come to for each model."""
