"""The command line of locust as `loadtest locust` completes it, and as its pages show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

FILE = Path(__file__).parents[1] / "locustfile.py"
DEFAULTS = ("-f", str(FILE), "--host", "127.0.0.1:7000", "--web-host", "127.0.0.1")


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """The arguments of `loadtest locust` for locust: the last one of an option counts."""
    return ["locust", *DEFAULTS, *arguments]


def as_typed(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The program and the arguments that the user typed, from the arguments of a locust process."""
    count = 1 + len(DEFAULTS)
    if tuple(argv[1:count]) == DEFAULTS:
        return "python -m loadtest locust", list(argv[count:])
    return "locust", list(argv[1:])
