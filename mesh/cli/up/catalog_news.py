"""Shows the supervisor's messages about a changed catalog and about guards, which otherwise only its log has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

LOGGERS = ("supervisor.catalog", "supervisor.guard")
POLL_S = 0.2


async def catalog_news(log: Path, poll_s: float = POLL_S) -> AsyncIterator[str]:
    """Yields each new message of the supervisor's `log` that is about its catalog or a guard, without end."""
    position = len(_whole_lines(log, 0))
    while True:
        await asyncio.sleep(poll_s)
        text = _whole_lines(log, position)
        position += len(text)
        for line in text.decode(errors="replace").splitlines():
            words = line.split(maxsplit=4)  # date, time, level, logger, message
            if len(words) == 5 and words[3] in LOGGERS:
                yield words[4]


def _whole_lines(log: Path, position: int) -> bytes:
    """Returns the lines of `log` from `position` on, without a line that is not yet complete."""
    with log.open("rb") as file:
        file.seek(position)
        whole, newline, _ = file.read().rpartition(b"\n")
    return whole + newline
