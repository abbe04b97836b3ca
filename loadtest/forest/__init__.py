"""Our scoring engine beside LightGBM: CPU of a row, start and memory, and whether the scores are the same."""
