"""Translates errors of gRPC methods into the status that the caller receives."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc

from mesh.errors import MeshError

INTERNAL = MeshError("internal error; see the log of the server")

_Response = TypeVar("_Response")


def for_caller(error: Exception, log: logging.Logger, method: str) -> MeshError:
    """Returns the error that the caller of `method` receives: `error` if it is a MeshError, else INTERNAL.

    Logs an unexpected error with its traceback; the caller does not receive its text.
    """
    if isinstance(error, MeshError):
        return error
    log.error("%s failed", method, exc_info=error)
    return INTERNAL


async def or_abort(answer: Awaitable[_Response], context: Any, log: logging.Logger, method: str) -> _Response:
    """Awaits and returns the response; on an error, aborts the call of `context` with the status of the error."""
    try:
        return await answer
    except grpc.aio.AbortError:
        raise
    except Exception as error:  # the boundary of the process: the caller receives a status for every error
        failure = for_caller(error, log, method)
    await context.abort(failure.code, failure.reason)
    raise AssertionError("never reached: abort always raises")
