"""JSON Lines: one JSON value a line, read from chunks of bytes of any size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

MAX_LINE_BYTES = 32 * 2**20


class TooLong(Exception):
    """A line exceeds `MAX_LINE_BYTES`."""


class JsonLines:
    """Collects chunks; a line that is not valid JSON becomes its own text."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Sequence[Any]:
        """Adds a chunk and returns the values of the lines that it completes; raises TooLong."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise TooLong(f"a line is longer than {MAX_LINE_BYTES} bytes")
        return [_value(line) for line in lines if line.strip()]


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line[:200].decode(errors="replace")
