"""Translates errors of gRPC methods into the status that the caller receives."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable
from typing import Any, NamedTuple, TypeVar

import grpc

from mesh.errors import MeshError, OverQuota

INTERNAL = MeshError("internal error; see the log of the server")

PUSHBACK = "grpc-retry-pushback-ms"  # gRPC's clients wait for so long before they retry (grpc/proposal, A6)
Metadata = tuple[tuple[str, str], ...]

_Response = TypeVar("_Response")


class CallerStatus(NamedTuple):
    """The status of a failed call, as its caller receives it."""

    code: grpc.StatusCode
    text: str
    trailing: Metadata = ()


def for_caller(error: Exception, log: logging.Logger, method: str) -> MeshError:
    """Returns the error that the caller of `method` receives: `error` if it is a MeshError, else INTERNAL.

    Logs an unexpected error with its traceback; the caller does not receive its text.
    """
    if isinstance(error, MeshError):
        return error
    log.error("%s failed", method, exc_info=error)
    return INTERNAL


def status_for_caller(error: Exception, log: logging.Logger, method: str) -> CallerStatus:
    """Returns the status of `for_caller`.

    A caller that kept the error in a local variable would make a reference cycle with its own frame.
    """
    failure = for_caller(error, log, method)
    if isinstance(failure, OverQuota):
        return CallerStatus(failure.code, failure.reason, ((PUSHBACK, str(math.ceil(1000 * failure.retry_after_s))),))
    return CallerStatus(failure.code, failure.reason)


async def or_abort(answer: Awaitable[_Response], context: Any, log: logging.Logger, method: str) -> _Response:
    """Awaits and returns the response; on an error, aborts the call of `context` with the status of the error."""
    try:
        return await answer
    except grpc.aio.AbortError:
        raise
    except Exception as error:  # the boundary of the process: the caller receives a status for every error
        status = status_for_caller(error, log, method)
    await context.abort(*status)
    raise AssertionError("never reached: abort always raises")
