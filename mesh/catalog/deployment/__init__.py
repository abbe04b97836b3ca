"""The deployment settings of a catalog: blocks, defaults, and the effective values for each model."""
