"""Ends a command on SIGINT or SIGTERM by cancellation, so that every block ends the processes that it started."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Runs `main` to its end; SIGINT and SIGTERM cancel it, which raises CancelledError here."""
    return asyncio.run(_interruptible(main))


async def _interruptible(main: Coroutine[Any, Any, _Result]) -> _Result:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await main
