"""Log of refused calls, at a bounded rate: one line for each kind of refusal in a while, with the number of others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

QUIET_S = 10.0
MOST_BYTES = 200
_log = logging.getLogger("supervisor.callers")


class RefusalLog:
    """Logs the first refusal of each kind, and then one in `QUIET_S`. A kind has no text of a peer: there are few."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until_s: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def report(self, kind: str, describe: Callable[[], str]) -> None:
        """Reports a refusal of `kind`; `describe` returns its text, and is called only if the line is logged."""
        now_s = self._clock()
        if now_s < self._quiet_until_s.get(kind, now_s):
            self._unlogged[kind] = self._unlogged.get(kind, 0) + 1
            return
        self._quiet_until_s[kind] = now_s + QUIET_S
        more = self._unlogged.pop(kind, 0)
        others = f" (and {more} more calls like it since the last line)" if more else ""
        _log.warning("refused (%s): %s%s", kind, describe(), others)


def shown(names: Iterable[str]) -> str:
    """Returns names of a peer for a log line: in quotes, in ASCII, without control characters, and shortened."""
    text = ", ".join(ascii(name[:MOST_BYTES]) for name in sorted(names))
    return text if len(text) <= MOST_BYTES else f"{text[:MOST_BYTES]}..."
