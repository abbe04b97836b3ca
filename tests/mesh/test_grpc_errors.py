from __future__ import annotations

import contextlib
import gc
import logging
import weakref
from typing import Any

import grpc
import pytest

from mesh.errors import NotFound, OverQuota
from mesh.grpc_errors import INTERNAL, CallerStatus, Metadata, or_abort

LOG = logging.getLogger("test")


class Aborted(Exception):
    pass


class Context:
    """Records the status of the call."""

    def __init__(self) -> None:
        self.status: CallerStatus | None = None

    async def abort(self, code: grpc.StatusCode, text: str, trailing: Metadata) -> None:
        self.status = CallerStatus(code, text, trailing)
        raise Aborted


async def failing(error: Exception) -> Any:
    raise error


async def status_of(error: Exception) -> CallerStatus | None:
    context = Context()
    with pytest.raises(Aborted):
        await or_abort(failing(error), context, LOG, "GetOffer")
    return context.status


async def test_error_of_the_mesh_keeps_its_status_and_text(caplog: pytest.LogCaptureFixture) -> None:
    assert await status_of(NotFound("game: 'x' is not served here")) == (
        grpc.StatusCode.NOT_FOUND,
        "game: 'x' is not served here",
        (),
    )
    assert caplog.records == []


async def test_caller_over_its_quota_learns_when_to_retry_in_whole_milliseconds() -> None:
    status = await status_of(OverQuota("over quota", 0.0301))
    assert status == (grpc.StatusCode.RESOURCE_EXHAUSTED, "over quota", (("grpc-retry-pushback-ms", "31"),))


async def test_unexpected_error_is_logged_and_its_text_stays_here(caplog: pytest.LogCaptureFixture) -> None:
    assert await status_of(LookupError("a secret")) == (grpc.StatusCode.INTERNAL, INTERNAL.reason, ())
    (record,) = caplog.records
    assert record.getMessage() == "GetOffer failed"
    assert record.exc_info is not None


async def test_failed_call_leaves_no_cycle_for_the_garbage_collector() -> None:
    alive: list[weakref.ref[NotFound]] = []

    def tracked() -> NotFound:
        alive.append(weakref.ref(error := NotFound("gone")))
        return error

    async def fails() -> None:
        raise tracked()

    gc.disable()
    try:
        with contextlib.suppress(Aborted):
            await or_abort(fails(), Context(), LOG, "GetOffer")
        assert [error() for error in alive] == [None]
    finally:
        gc.enable()
