"""The calls whose requests are read, and those that wait for it: connections that send in time are kept apart.

A call counts as read once its request has arrived. A peer can send the headers of a call without the request, and so
hold a place. Therefore connections whose latest request arrived in time have places of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from supervisor.raw_call import RawCall
from supervisor.waiting_calls import WaitingCalls

READING = 4  # calls of each queue whose requests are read at the same time
READING_S = 0.05  # a caller that sends its request more slowly no longer counts in READING; shorter if many are slow
MOST_WAITING = 4096  # of each queue
MOST_PUNCTUAL = 4096  # connections that are remembered


@dataclass(slots=True, eq=False)
class ReadingCalls:
    """One queue: the calls that wait, and those that are read, with the times (monotonic) at which they began."""

    waiting: WaitingCalls[RawCall] = field(default_factory=lambda: WaitingCalls(MOST_WAITING))
    reading: dict[RawCall, float] = field(default_factory=dict)

    @property
    def has_next(self) -> bool:
        """Whether a call waits and there is a place for it."""
        return len(self.waiting) > 0 and len(self.reading) < READING

    def pop_slow(self, now_s: float, within_s: float) -> Iterator[RawCall]:
        """Removes and yields the calls whose requests have not arrived `within_s`: they give up their places."""
        while self.reading:
            call, since_s = next(iter(self.reading.items()))
            if now_s - since_s < within_s:
                return
            del self.reading[call]
            yield call


class PunctualPeers:
    """The connections whose latest request arrived in time; at most `most`."""

    def __init__(self, most: int = MOST_PUNCTUAL) -> None:
        self._most = most
        self._peers: dict[str, None] = {}

    def __contains__(self, peer: str) -> bool:
        return peer in self._peers

    def add(self, peer: str) -> None:
        """Adds a connection; above the limit, the one that was added first is forgotten."""
        if peer not in self._peers:
            self._peers[peer] = None
            if len(self._peers) > self._most:
                del self._peers[next(iter(self._peers))]

    def discard(self, peer: str) -> None:
        """Removes a connection whose request is late."""
        self._peers.pop(peer, None)
