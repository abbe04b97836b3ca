"""Requests whose bytes are not an encoded message: their callers get INVALID_ARGUMENT.

When a deserializer fails, grpc.aio sends the status UNKNOWN and logs a traceback, so that any peer could fill the log.
Therefore the deserializers of both services never fail: they return a `Malformed` instead of the request
(`mesh/checking_server.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError

_Message = TypeVar("_Message")


@dataclass(frozen=True, slots=True)
class Malformed:
    """Replaces a request that cannot be parsed; `reason` is for its caller, who gets INVALID_ARGUMENT."""

    reason: str
    code = grpc.StatusCode.INVALID_ARGUMENT


def parser(parse: Callable[[bytes], _Message]) -> Callable[[bytes], _Message | Malformed]:
    """Returns `parse`, the method FromString of a message, with a `Malformed` in place of its error."""
    name = parse.__self__.DESCRIPTOR.full_name  # type: ignore[attr-defined]  # a method of the message's class

    def parsed(encoded: bytes) -> _Message | Malformed:
        try:
            return parse(encoded)
        except DecodeError:
            return Malformed(f"the request is not an encoded {name}")

    return parsed
