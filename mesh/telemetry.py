"""Log format, latency buckets and event-loop lag of both services."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any

from mesh.printable import one_line

if TYPE_CHECKING:
    from prometheus_client import Histogram

LATENCY_BUCKETS_S = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05,
    0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0,
)  # fmt: skip
LAG_PROBE_S = 0.25
MOST_LINES, WINDOW_S = 10, 60.0
_LOG_PEERS = ("grpc._cython.cygrpc", "asyncio")
# A caller that leaves while its response is written, and metadata that is not UTF-8.
_OF_PEERS = ("ExecuteBatchError raised in core", "Invalid encoding on")
# At the level debug, these log the headers of their requests, with session tokens and signatures.
_LOG_CREDENTIALS = ("aiobotocore", "boto3", "botocore", "urllib3")


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


def log_to_stderr(level: str) -> None:
    """Writes logs to stderr as `time level logger message`; stdout is only for output that programs read.

    Lines of grpc.aio and asyncio about peers are limited, so that no peer can fill the log.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in _LOG_PEERS:
        logging.getLogger(name).addFilter(_PeerFaults())
    for name in _LOG_CREDENTIALS:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


def _indented(text: str) -> str:
    return "\n".join(f"  {one_line(line)}" for line in text.split("\n"))


class _PeerFaults(logging.Filter):
    """Drops lines that any peer can cause, and limits the others to `MOST_LINES` in `WINDOW_S`."""

    def __init__(self) -> None:
        super().__init__()
        self._until_s = 0.0
        self._lines = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if str(record.msg).startswith(_OF_PEERS):
            return False
        if record.created >= self._until_s:
            self._until_s, self._lines = record.created + WINDOW_S, 0
        self._lines += 1
        return self._lines <= MOST_LINES


async def watch_loop_lag(lag: Histogram) -> None:
    """Records the delay of event-loop timers in seconds, until it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + LAG_PROBE_S
        await asyncio.sleep(LAG_PROBE_S)
        lag.observe(max(0.0, loop.time() - due_s))
