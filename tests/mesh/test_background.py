"""Endless work beside a block: it ends with the block, and whose error is raised how."""

from __future__ import annotations

import asyncio
import contextlib
from typing import NoReturn

import pytest

from mesh.background import in_background


async def fails() -> NoReturn:
    raise LookupError("the work")


async def test_work_ends_with_the_block() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with in_background(work()):
        await asyncio.sleep(0)  # the work begins
        assert not ended.is_set()
    assert ended.is_set()


async def test_error_of_the_block_is_raised_without_a_group() -> None:
    with pytest.raises(OSError, match="the port is in use"):
        async with in_background(asyncio.Event().wait()):  # type: ignore[arg-type]
            raise OSError("the port is in use")


async def test_failed_work_ends_the_block() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with in_background(fails()):
            await asyncio.Event().wait()
    assert caught.group_contains(LookupError, match="the work")


async def block_and_work_fail() -> None:
    async with in_background(fails()):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise OSError("the block")


async def test_errors_of_both_are_raised() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await block_and_work_fail()
    assert caught.group_contains(LookupError)
    assert caught.group_contains(OSError)
