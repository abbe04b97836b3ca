"""Results from the measured batches: the cost curve of a message, and the capacity of a replica."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoscaling.capacity_profile import Batch, Capacity, Curve


def fit(batches: Sequence[Batch]) -> Curve:
    """Fits a line to the mean predict times by least squares of relative errors; needs at least two batches."""
    rows = np.array([batch.rows for batch in batches], dtype=np.float64)
    times_ms = np.array([batch.predict_mean_ms for batch in batches])
    design = np.column_stack([np.ones_like(rows), rows]) / times_ms[:, None]
    (base_ms, row_ms), *_ = np.linalg.lstsq(design, np.ones_like(rows), rcond=None)
    residual = np.abs((base_ms + row_ms * rows) / times_ms - 1).max()
    return Curve(base_ms=float(base_ms), row_ms=float(row_ms), residual=float(residual))


def capacity_of(batches: Sequence[Batch]) -> Capacity:
    """The capacity at the batch size with the most rows per second."""
    best = max(batches, key=lambda batch: batch.rows_per_s)
    return Capacity(
        rows_per_s=best.rows_per_s,
        at_batch_rows=best.rows,
        cpu_us_per_row=best.cpu_us_per_row,
        cores=best.rows_per_s * best.cpu_us_per_row / 1e6,
    )
