"""Requests whose bytes are not an encoded message: their callers get INVALID_ARGUMENT.

When a deserializer fails, grpc.aio sends the status UNKNOWN and logs a traceback, so that any peer could fill the log.
Therefore the deserializers of both services never fail: they return a `Malformed` instead of the request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

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


class CheckingServer:
    """A server for the generated functions `add_...Servicer_to_server`: it checks the requests of the servicer.

    A method that takes one request is called only with a parsed one. A method that reads a stream must expect a
    `Malformed` among its requests.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds nothing: the same handlers are registered below."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Adds the methods of `service`, by name, to the server."""
        checked = {name: _checked(handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, checked),))
        self._server.add_registered_method_handlers(service, checked)


def _checked(handler: Any) -> Any:
    handler = handler._replace(request_deserializer=parser(handler.request_deserializer))
    if handler.request_streaming:
        return handler
    kind = "unary_stream" if handler.response_streaming else "unary_unary"
    return handler._replace(**{kind: _only_parsed(getattr(handler, kind))})


def _only_parsed(method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: Any) -> Any:
        if isinstance(request, Malformed):
            await context.abort(request.code, request.reason)
        return await method(request, context)

    return call
