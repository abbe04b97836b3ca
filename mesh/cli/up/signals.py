"""What Ctrl-C and SIGTERM mean to `mesh up`: the first drains, a second one kills."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

# A wrapper such as `make` may pass on the Ctrl-C that the terminal has sent to us, too.
_SAME_SIGNAL_S = 0.3


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Stop:
    """`asked` is set by the first signal, `hurry` by one that comes when `may_hurry` is set."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    may_hurry: asyncio.Event = field(default_factory=asyncio.Event)


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """What SIGTERM and SIGINT ask for, as long as the block lasts; after it they are ignored."""
    loop, stop = asyncio.get_running_loop(), Stop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, _receive, stop, loop)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            # The process is about to exit: an impatient Ctrl-C must not end it with a traceback.
            signal.signal(number, signal.SIG_IGN)


def _receive(stop: Stop, loop: asyncio.AbstractEventLoop) -> None:
    if not stop.asked.is_set():
        stop.asked.set()
        loop.call_later(_SAME_SIGNAL_S, stop.may_hurry.set)
    elif stop.may_hurry.is_set():
        stop.hurry.set()
