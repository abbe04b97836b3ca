"""The column `updated_at` of a player file: ISO 8601, or s, ms, us or ns since 1970."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from mesh.moment import Moment

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def times_of(cells: pa.Array) -> list[Any]:
    """Returns the cells as values for `mesh.moment.parse`; an empty cell is None."""
    if not pa.types.is_timestamp(cells.type):
        return [None if value == "" else value for value in cells.to_pylist()]
    # Python's datetime does not support nanoseconds nor years after 9999. Arrow stores UTC, whatever the zone is.
    unit, ticks = cells.type.unit, cells.cast(pa.int64()).to_pylist()
    return [None if one is None else Moment(one / _PER_SECOND[unit], 0.0) for one in ticks]
