"""An event loop with timers precise to about 0.1 ms; epoll and libuv round up to whole milliseconds."""

from __future__ import annotations

import asyncio
import selectors


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop on select(2), which has timeouts in microseconds; for processes with few file descriptors."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
