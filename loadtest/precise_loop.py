"""An event loop whose timers keep their time: to some 0.1 ms, where epoll and libuv round up to whole ms."""

from __future__ import annotations

import asyncio
import selectors


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop on select(2), whose timeouts are in microseconds; for processes with few descriptors."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
