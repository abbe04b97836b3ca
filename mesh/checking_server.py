"""A server for the generated functions `add_...Servicer_to_server`: it reads and checks the requests of a servicer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc

from mesh.bounded_calls import OpenStreams, Reading, unary_handler
from mesh.errors import Overloaded
from mesh.malformed import Malformed, parser

_Method = Callable[[Any, Any], Awaitable[Any]]


class CheckingServer:
    """Adds methods to `server`, each with bounds of its calls.

    A method that takes one request is called only with a parsed one, which has arrived in time. A method that reads a
    stream must expect a `Malformed` among its requests. Each method with a stream of responses is counted: too many
    open calls of it are refused.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server
        self._reading = Reading()

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds nothing: the same handlers are registered below."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Adds the methods of `service`, by name, to the server."""
        checked = {name: self._checked(handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, checked),))
        self._server.add_registered_method_handlers(service, checked)

    def _checked(self, handler: Any) -> Any:
        parse, serialize = parser(handler.request_deserializer), handler.response_serializer
        if not handler.response_streaming:
            return unary_handler(_only_parsed(handler.unary_unary), self._reading, parse, serialize)
        method = handler.stream_stream
        if method is None:
            method = self._with_one_request(handler.unary_stream)
        return grpc.stream_stream_rpc_method_handler(_counted(method), parse, serialize)

    def _with_one_request(self, method: _Method) -> _Method:
        return unary_handler(_only_parsed(method), self._reading).stream_unary  # type: ignore[no-any-return]


def _only_parsed(method: _Method) -> _Method:
    async def call(request: Any, context: Any) -> Any:
        if isinstance(request, Malformed):
            await context.abort(request.code, request.reason)
        return await method(request, context)

    return call


def _counted(method: _Method) -> _Method:
    streams = OpenStreams()

    async def call(requests: Any, context: Any) -> Any:
        try:
            with streams.entered():
                return await method(requests, context)
        except Overloaded as error:
            await context.abort(error.code, error.reason)

    return call
