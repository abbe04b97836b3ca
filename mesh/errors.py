"""The errors of the mesh. Each has a meaning and the gRPC status code that the caller receives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from pathlib import Path  # not imported, because it costs a worker 6 ms and 0.7 MB


_SMALLER = "is it the right file? Remove what is not needed"


class MeshError(Exception):
    """An expected failure; `reason` is a sentence for the caller, the other service or the operator."""

    code = grpc.StatusCode.INTERNAL

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WrongRequest(MeshError):
    """The request is invalid, and a retry cannot succeed; the reason names the field and the fix."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(MeshError):
    """The request names a game, version, offer or model that does not exist here."""

    code = grpc.StatusCode.NOT_FOUND


class NotSupported(MeshError):
    """The request is valid, but the configuration of this game cannot answer it."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class UnknownCandidates(MeshError):
    """A message names candidates that its stream has not received; the sender must repeat it with the candidates.

    In the reply to a message, a supervisor reads every FAILED_PRECONDITION as this error (supervisor/lane_reply.py).
    """

    code = grpc.StatusCode.FAILED_PRECONDITION


class Overloaded(MeshError):
    """A queue is full; the request was refused at once, before any work was done."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class OverQuota(MeshError):
    """The caller has sent more requests than its share; it may send the next one after `retry_after_s`."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Unauthenticated(MeshError):
    """The peer is not known: it has shown no certificate or token of a known caller."""

    code = grpc.StatusCode.UNAUTHENTICATED


class NotAllowed(MeshError):
    """The caller is known, but it may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Expired(MeshError):
    """The deadline passed before the work was done."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Unavailable(MeshError):
    """The server cannot answer now: it is starting, draining or gone."""

    code = grpc.StatusCode.UNAVAILABLE


class Misconfigured(MeshError):
    """The program cannot start with its configuration or files; `faults` has one sentence for each fault."""

    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class TooLarge(OSError):
    """A file has more bytes than its reader takes."""


def unreadable(path: Path, error: Exception, fix: str) -> Misconfigured:
    """The fault of a file that cannot be read; `fix` is for all errors but a text that is not UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        fix = "save it as UTF-8"
    if isinstance(error, TooLarge):
        return Misconfigured([f"{path}: {error.strerror}; {_SMALLER}"])
    return Misconfigured([f"{path}: cannot be read: {' '.join(str(error).split())}; {fix}"])
