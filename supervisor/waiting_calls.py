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
class _ConnectionCalls(Generic[_Call]):
    """The calls of one connection, the oldest first."""

    peer: str
    calls: deque[WaitingCall[_Call]] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class _CallerCalls(Generic[_Call]):
    """The calls of one caller: those of each connection, and all of them in the order of their arrival."""

    is_critical: bool = False
    turns: OrderedDict[str, _ConnectionCalls[_Call]] = field(default_factory=OrderedDict)  # with calls, by peer
    arrived: OrderedDict[_Call, _ConnectionCalls[_Call]] = field(default_factory=OrderedDict)

    def add(self, call: _Call, refuse_at_s: float, peer: str) -> None:
        connection = self.turns.get(peer)
        if connection is None:
            connection = self.turns[peer] = _ConnectionCalls(peer)
        connection.calls.append(WaitingCall(call, refuse_at_s))
        self.arrived[call] = connection

    def oldest(self) -> WaitingCall[_Call]:
        return next(iter(self.arrived.values())).calls[0]

    def pop_oldest(self) -> _Call:
        return self._popped_oldest(next(iter(self.arrived.values())))

    def pop_oldest_of_largest(self) -> _Call:
        return self._popped_oldest(max(self.turns.values(), key=lambda one: len(one.calls)))

    def pop_newest(self) -> WaitingCall[_Call]:
        """Removes the newest call of the connection whose turn it is."""
        connection = next(iter(self.turns.values()))
        waiting = connection.calls.pop()
        self.turns.move_to_end(connection.peer)
        self._forget(waiting, connection)
        return waiting

    def _popped_oldest(self, connection: _ConnectionCalls[_Call]) -> _Call:
        waiting = connection.calls.popleft()
        self._forget(waiting, connection)
        return waiting.call

    def _forget(self, waiting: WaitingCall[_Call], connection: _ConnectionCalls[_Call]) -> None:
        del self.arrived[waiting.call]
        if not connection.calls:
            del self.turns[connection.peer]


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
