"""Parses the time of `--at`."""

from __future__ import annotations

from mesh.errors import Misconfigured
from mesh.time_column import clock_s


def offset_s(text: str, start_s: float) -> float:
    """Returns the seconds since the start; `text` is `915` or a time of day. The start is at `start_s` of the day.

    Raises Misconfigured if `text` is not a time.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return (clock_s(text) - start_s) % 86_400
    except ValueError:
        raise Misconfigured([f"--at: {text!r} is not a time; give HH:MM, HH:MM:SS or seconds"]) from None
