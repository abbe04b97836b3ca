"""The cost of two versions that share members, against one version alone."""
