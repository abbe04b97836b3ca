"""Measurements: one load on one system, CPU and memory of processes, percentiles, aims, and the plan of a run."""
