"""JSON, one value a line, cut out of bytes that come in any pieces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

MAX_LINE_BYTES = 32 * 2**20


class TooLong(Exception):
    """A line that does not end: no such object is meant to be."""


class JsonLines:
    """Keeps the beginning of a line until its end has come; a line that is no JSON is the text that it is."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Sequence[Any]:
        """The values that are whole now; raises TooLong."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise TooLong(f"a line is longer than {MAX_LINE_BYTES} bytes")
        return [_value(line) for line in lines if line.strip()]


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line[:200].decode(errors="replace")
