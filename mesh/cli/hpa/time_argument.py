"""The times that a person asks for."""

from __future__ import annotations

from autoscaling.cluster.load_file import clock_s
from mesh.errors import Misconfigured


def moment_s(text: str, start_s: float) -> float:
    """Seconds since the beginning, which is at `start_s` of the day: `915`, or a time of day; raises Misconfigured."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return (clock_s(text) - start_s) % 86_400
    except ValueError:
        raise Misconfigured([f"--at: {text!r} is no time; give HH:MM, HH:MM:SS or seconds"]) from None
