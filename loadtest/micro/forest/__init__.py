"""Our scoring engine and LightGBM: CPU per row, start, memory, and whether all scores are equal."""
