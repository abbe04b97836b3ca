"""Micro-benchmarks: the scoring engine beside LightGBM (`forest`), and the player stores (`features`)."""
