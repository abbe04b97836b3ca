"""The calls that wait until their requests are read: the newest first, and the callers in turn."""

from __future__ import annotations

from collections import deque
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
    """The calls of one caller, the oldest first."""

    is_critical: bool = False
    calls: deque[WaitingCall[_Call]] = field(default_factory=deque)


class WaitingCalls(Generic[_Call]):
    """At most `most` calls; above it, the oldest calls of the caller with the most are refused.

    Critical callers have their turns before the others, and lose calls only if no other caller has one.
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

    def add(self, call: _Call, refuse_at_s: float, caller: str | None = None, *, is_critical: bool = False) -> None:
        """Adds a call of `caller`, which is newer than all others."""
        of_caller = self._by_name.get(caller)
        if of_caller is None:
            of_caller = self._by_name[caller] = _CallerCalls()
        if not of_caller.calls:
            of_caller.is_critical = is_critical
            self._turns[not is_critical].append(of_caller)
        of_caller.calls.append(WaitingCall(call, refuse_at_s))
        self._count += 1

    def pop_newest(self) -> WaitingCall[_Call]:
        """Removes and returns the newest call of the caller whose turn it is; a call must wait."""
        turns = self._turns[0] or self._turns[1]
        of_caller = turns[0]
        waiting = of_caller.calls.pop()
        turns.rotate(-1)
        self._leave(of_caller)
        return waiting

    def pop_refused(self, now_s: float) -> Iterator[_Call]:
        """Removes and yields the calls that have waited too long, and those above the limit."""
        for of_caller in (*self._turns[0], *self._turns[1]):
            while of_caller.calls and of_caller.calls[0].refuse_at_s <= now_s:
                yield self._pop_oldest(of_caller)
        while self._count > self._most:
            yield self._pop_oldest(max(self._turns[1] or self._turns[0], key=lambda one: len(one.calls)))

    def _pop_oldest(self, of_caller: _CallerCalls[_Call]) -> _Call:
        call = of_caller.calls.popleft().call
        self._leave(of_caller)
        return call

    def _leave(self, of_caller: _CallerCalls[_Call]) -> None:
        self._count -= 1
        if not of_caller.calls:
            self._turns[not of_caller.is_critical].remove(of_caller)
