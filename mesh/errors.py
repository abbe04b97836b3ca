"""The errors of the mesh, named by meaning, each with the gRPC code it crosses the wire as."""

from __future__ import annotations

import grpc


class MeshError(Exception):
    """Something that a caller, a neighbour or an operator must be told; `reason` is the sentence."""

    code = grpc.StatusCode.INTERNAL

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WrongRequest(MeshError):
    """The request can never be answered as it stands; the sentence names the field and the mend."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(MeshError):
    """The request names something that is not here: a game, a version, an offer, a model."""

    code = grpc.StatusCode.NOT_FOUND


class NotSupported(MeshError):
    """The request is well formed, and this game is not set up to answer it."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class UnknownCandidates(MeshError):
    """A message names candidates that have not come on its stream: to be sent again, with them."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Overloaded(MeshError):
    """A queue is full; refused at once, before any work was done."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Expired(MeshError):
    """The time for the work ran out before it was done."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Unavailable(MeshError):
    """The one who should answer is not there: starting, draining, gone."""

    code = grpc.StatusCode.UNAVAILABLE


class Misconfigured(MeshError):
    """The program cannot start with what it was given; `faults` lists everything that is wrong."""

    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
