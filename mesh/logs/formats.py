"""The formats of a log record: a line for people, or an object of JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from mesh.printable import one_line, without_passwords

# Attributes of a record (the `extra` of a call of logging) that become keys of the object.
EXTRA_KEYS = ("trace_id", "span_id", "decision_id")


class OneLineFormatter(logging.Formatter):
    """Formats a record as `time level logger message`, one line whatever the message contains.

    The lines of a traceback follow it, with two spaces before each, so that no text in them looks like another record.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name in logging)
        """Returns the line of a record."""
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the name in logging)
        """Returns the lines of a traceback."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 (the name in logging)
        """Returns the lines of a stack."""
        return _indented(super().formatStack(stack_info))


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON with the keys time, level, logger and message, in this order.

    `exception` and `stack` follow if the record has them, and the `EXTRA_KEYS` that it has. `time` is RFC 3339 in UTC.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        found = {
            "time": time,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_passwords(record.getMessage()),
        }
        found |= {key: str(value) for key in EXTRA_KEYS if (value := getattr(record, key, None))}
        if record.exc_info:
            found["exception"] = without_passwords(super().formatException(record.exc_info))
        if record.stack_info:
            found["stack"] = record.stack_info
        return json.dumps(found)


def _indented(text: str) -> str:
    return "\n".join(f"  {one_line(line)}" for line in text.split("\n"))
