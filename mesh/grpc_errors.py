"""Errors on their way to the caller of a gRPC method: translated in this one place."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc

from mesh.errors import MeshError

INTERNAL = MeshError("internal error; see the log of the server")

_Response = TypeVar("_Response")


def for_caller(error: Exception, log: logging.Logger, method: str) -> MeshError:
    """The error that the caller of `method` receives: `error` if it is a MeshError, else INTERNAL.

    An unexpected error is logged with its traceback, and its text does not reach the caller.
    """
    if isinstance(error, MeshError):
        return error
    log.error("%s failed", method, exc_info=error)
    return INTERNAL


async def or_abort(answer: Awaitable[_Response], context: Any, log: logging.Logger, method: str) -> _Response:
    """Returns the response, or aborts the call of `context` with the status of the error."""
    try:
        return await answer
    except grpc.aio.AbortError:
        raise
    except Exception as error:  # the border of the process: whatever it is, the caller gets a status
        failure = for_caller(error, log, method)
    await context.abort(failure.code, failure.reason)
    raise AssertionError("abort raises")
