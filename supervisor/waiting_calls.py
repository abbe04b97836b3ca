"""The calls that wait until their requests are read: the newest of a connection first, in turns.

The callers have turns one after the other, and so have the connections of each caller: a connection with many calls
delays the others by one call at a time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

_Call = TypeVar("_Call")


class WaitingCall(NamedTuple, Generic[_Call]):
    """A call, and the time (monotonic) at which it is refused if its request was not read before."""

    call: _Call
    refuse_at_s: float


@dataclass(slots=True, eq=False)
class _CallerCalls(Generic[_Call]):
    """The calls of one caller: those of each connection, the oldest first, and the peers of all in order of arrival.

    `turns` has the connections with calls; the first one has its turn.
    """

    is_critical: bool = False
    turns: OrderedDict[str, deque[WaitingCall[_Call]]] = field(default_factory=OrderedDict)
    arrived: OrderedDict[_Call, str] = field(default_factory=OrderedDict)

    def add(self, call: _Call, refuse_at_s: float, peer: str) -> None:
        calls = self.turns.get(peer)
        if calls is None:
            calls = self.turns[peer] = deque()
        calls.append(WaitingCall(call, refuse_at_s))
        self.arrived[call] = peer

    def oldest(self) -> WaitingCall[_Call]:
        return self.turns[next(iter(self.arrived.values()))][0]

    def pop_oldest(self, peer: str | None = None) -> _Call:
        """Removes the oldest call of the connection to `peer`; None: of all connections."""
        if peer is None:
            peer = next(iter(self.arrived.values()))
        call = self.turns[peer].popleft().call
        del self.arrived[call]
        if not self.turns[peer]:
            del self.turns[peer]
        return call

    def pop_oldest_of_largest(self) -> _Call:
        return self.pop_oldest(max(self.turns, key=lambda peer: len(self.turns[peer])))

    def pop_newest(self) -> WaitingCall[_Call]:
        """Removes the newest call of the connection whose turn it is."""
        peer, calls = self.turns.popitem(last=False)
        waiting = calls.pop()
        del self.arrived[waiting.call]
        if calls:
            self.turns[peer] = calls
        return waiting


class WaitingCalls(Generic[_Call]):
    """At most `most` calls; above it, the oldest calls of the caller with the most are refused.

    Of its calls, those of the connection with the most. Critical callers have their turns before the others, and lose
    calls only if no other caller has one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._by_name: dict[str | None, _CallerCalls[_Call]] = {}  # bounded: the names are those of the catalogs
        self._turns: tuple[deque[_CallerCalls[_Call]], deque[_CallerCalls[_Call]]] = (
            deque(),
            deque(),
        )  # critical, others

    def __len__(self) -> int:
        return self._count

    def add(
        self, call: _Call, refuse_at_s: float, peer: str, caller: str | None = None, *, is_critical: bool = False
    ) -> None:
        """Adds a call of `caller` on the connection to `peer`; it is newer than all others."""
        of_caller = self._by_name.get(caller)
        if of_caller is None:
            of_caller = self._by_name[caller] = _CallerCalls()
        if not of_caller.arrived:
            of_caller.is_critical = is_critical
            self._turns[not is_critical].append(of_caller)
        of_caller.add(call, refuse_at_s, peer)
        self._count += 1

    def pop_newest(self) -> WaitingCall[_Call]:
        """Removes and returns the newest call of the caller and the connection whose turn it is; a call must wait."""
        turns = self._turns[0] or self._turns[1]
        of_caller = turns[0]
        waiting = of_caller.pop_newest()
        turns.rotate(-1)
        self._leave(of_caller)
        return waiting

    def pop_refused(self, now_s: float) -> Iterator[_Call]:
        """Removes and yields the calls that have waited too long, and those above the limit."""
        for of_caller in (*self._turns[0], *self._turns[1]):
            while of_caller.arrived and of_caller.oldest().refuse_at_s <= now_s:
                call = of_caller.pop_oldest()
                self._leave(of_caller)
                yield call
        while self._count > self._most:
            of_caller = max(self._turns[1] or self._turns[0], key=lambda one: len(one.arrived))
            call = of_caller.pop_oldest_of_largest()
            self._leave(of_caller)
            yield call

    def _leave(self, of_caller: _CallerCalls[_Call]) -> None:
        self._count -= 1
        if not of_caller.arrived:
            self._turns[not of_caller.is_critical].remove(of_caller)
