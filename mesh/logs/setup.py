"""Configures the logs of a process: stdout is only for output that programs read, so they go to stderr."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from mesh.logs.formats import JsonFormatter, OneLineFormatter
from mesh.logs.limits import PEERS, KindLimit, PeerFaults
from mesh.logs.output import ThreadHandler

# At the level debug, these log the headers of their requests, with session tokens and signatures.
_LOG_CREDENTIALS = ("aiobotocore", "boto3", "botocore", "urllib3")


@dataclass(frozen=True, slots=True)
class LogOutput:
    """The output of the logs of this process, which counts the lines that were dropped."""

    handler: ThreadHandler
    limit: KindLimit

    def dropped(self) -> dict[str, int]:
        """Returns the number of dropped lines by reason: their kind came too often, or their reader was too slow."""
        return {"rate": self.limit.dropped, "full": self.handler.dropped}


def log_to_stderr(level: str, kind: str = "text") -> LogOutput:
    """Writes logs from `level` on to stderr: as `time level logger message`, or as JSON objects if `kind` is `json`."""
    handler, limit = ThreadHandler(sys.stderr.fileno()), KindLimit()
    handler.setFormatter(JsonFormatter() if kind == "json" else OneLineFormatter())
    handler.addFilter(limit)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in PEERS:
        logging.getLogger(name).addFilter(PeerFaults())
    for name in _LOG_CREDENTIALS:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    return LogOutput(handler, limit)
