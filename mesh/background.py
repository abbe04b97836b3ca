"""Runs endless work beside a block."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def in_background(*endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs `endless` while the block lasts; a failure of one of them ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in endless]
        yield
        for task in tasks:
            task.cancel()
