"""Signals of `mesh up`: the first SIGTERM or SIGINT drains the mesh, the second kills it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

# With `make`, one Ctrl-C can arrive twice: from the terminal and from make.
_SAME_SIGNAL_S = 0.3

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class StopRequests:
    """The first signal sets `drain`. A second signal sets `kill`, once `may_kill` is set. SIGINT sets `ctrl_c`."""

    drain: asyncio.Event = field(default_factory=asyncio.Event)
    kill: asyncio.Event = field(default_factory=asyncio.Event)
    may_kill: asyncio.Event = field(default_factory=asyncio.Event)
    ctrl_c: asyncio.Event = field(default_factory=asyncio.Event)


@contextlib.contextmanager
def stop_signals() -> Iterator[StopRequests]:
    """Turns SIGTERM and SIGINT into stop requests during the block; afterwards both signals are ignored."""
    loop, stop = asyncio.get_running_loop(), StopRequests()
    for number in _SIGNALS:
        loop.add_signal_handler(number, _receive, number, stop, loop)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            # The process is about to exit: one more Ctrl-C must not end it with a traceback.
            signal.signal(number, signal.SIG_IGN)


def _receive(number: int, stop: StopRequests, loop: asyncio.AbstractEventLoop) -> None:
    if number == signal.SIGINT:
        stop.ctrl_c.set()
    if not stop.drain.is_set():
        stop.drain.set()
        loop.call_later(_SAME_SIGNAL_S, stop.may_kill.set)
    elif stop.may_kill.is_set():
        stop.kill.set()
