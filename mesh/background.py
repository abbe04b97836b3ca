"""Runs endless work beside a block."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def in_background(*endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs `endless` while the block lasts; a failure of one of them ends the block, and is raised in a group.

    An error of the block is raised as it is, so that a caller can name its class.
    """
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in endless]
            try:
                yield
            except Exception as error:
                failure = error
            for task in tasks:
                task.cancel()
    except ExceptionGroup as errors:
        if failure is None:
            raise
        raise ExceptionGroup(errors.message, (failure, *errors.exceptions)) from None
    if failure is not None:
        raise failure
