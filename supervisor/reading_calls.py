"""The calls whose requests are read, and those that wait for it: connections that send in time are kept apart.

A call counts as read once its request has arrived. A peer can send the headers of a call without the request, and so
hold a place. Therefore connections whose latest request arrived in time have places of their own, and so have those
whose latest request did not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from supervisor.raw_call import RawCall
from supervisor.waiting_calls import WaitingCalls

READING = 4  # calls of each queue whose requests are read at the same time
READING_S = 0.05  # a caller that sends its request more slowly no longer counts in READING; shorter if many are slow
MOST_WAITING = 4096  # of each queue
MOST_KNOWN = 4096  # connections


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


class KnownPeers:
    """What the latest calls of each connection were: punctual, or late; at most `most` connections.

    A connection is late after a call whose request did not arrive in time, or whose caller left before.
    """

    def __init__(self, most: int = MOST_KNOWN) -> None:
        self._most = most
        self._left: dict[str, int] = {}  # the calls in a row whose callers left; -1: punctual

    def is_punctual(self, peer: str) -> bool | None:
        """Returns None for a connection that is not known."""
        left = self._left.get(peer)
        return None if left is None else left < 0

    def note_request(self, peer: str) -> None:
        """Notes that the request of a call arrived in time."""
        self._note(peer, -1)

    def note_late(self, peer: str) -> None:
        """Notes that the request of a call did not arrive in time."""
        self._note(peer, max(0, self._left.get(peer, 0)))

    def note_left(self, peer: str) -> int:
        """Notes that the caller of a call has left before its request was read; returns how many did so in a row."""
        left = max(0, self._left.get(peer, 0)) + 1
        self._note(peer, left)
        return left

    def _note(self, peer: str, left: int) -> None:
        self._left[peer] = left
        if len(self._left) > self._most:
            del self._left[next(iter(self._left))]  # the one that is known for the longest time
