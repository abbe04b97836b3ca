from __future__ import annotations

import asyncio

import pytest

from loadtest.errors import CannotMeasure, ungrouped
from mesh.process import ProcessFailed


@pytest.mark.parametrize("error", [CannotMeasure("a sender ended"), ProcessFailed("a sender ended")])
async def test_failure_is_raised_without_its_exception_group(error: Exception) -> None:
    async def fail() -> None:
        raise error

    with pytest.raises(type(error), match="a sender ended"), ungrouped():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())


async def test_other_errors_stay_in_their_exception_group() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup), ungrouped():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
