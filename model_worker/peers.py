"""The peers of a worker with TLS: only a supervisor may call, and its certificate names it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

import grpc

from mesh.first_of import first_of
from mesh.refusal_log import RefusalLog, shown
from mesh.tls.peer import peer_names
from mesh.tls.trust import Trust

_log = logging.getLogger(__name__)

_HEALTH = "/grpc.health.v1.Health/"
_REFUSED, _UNTRUSTED = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED
_REMOVED = "the CA of the certificate of this connection is not in --tls-ca any more; connect with a new certificate"


class SupervisorsOnly(grpc.aio.ServerInterceptor):
    """Refuses the calls of peers whose certificate has none of `names`, before their requests are parsed.

    When a CA leaves the CA file, this ends the streams of peers with its certificates, and refuses their calls on open
    connections: lanes stay for as long as their processes. Everybody may ask for the health. `refused` receives the
    status code of each refused call.
    """

    def __init__(self, names: Collection[str], trust: Trust, refused: Callable[[str], None]) -> None:
        self._names = frozenset(names)
        self._trust = trust
        self._refused = refused
        self._refusals = RefusalLog(_log)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Returns the handler of a call with the check in front of it."""
        handler, method = await continuation(handler_call_details), handler_call_details.method
        if handler is None or method.startswith(_HEALTH):
            return handler
        return self._checked(handler, method)

    def _checked(self, handler: Any, method: str) -> Any:
        """Every method reads its requests itself (`mesh.checking_server`), which parses them: after the check."""
        kind = "stream_stream" if handler.response_streaming else "stream_unary"
        answer = getattr(handler, kind)

        async def call(requests: Any, context: Any) -> Any:
            await self._check(method, context)
            return await answer(requests, context)

        async def hold(requests: Any, context: Any) -> None:
            await self._check(method, context)
            with self._trust.held(context.auth_context()) as lost:
                if await first_of(answer(requests, context), lost.wait()) == 1:
                    await self._refuse_untrusted(method, context)

        async def generate(requests: Any, context: Any) -> AsyncIterator[Any]:
            await self._check(method, context)
            async for response in answer(requests, context):  # reflection: a short conversation
                yield response

        if inspect.isasyncgenfunction(answer):
            return handler._replace(**{kind: generate})
        return handler._replace(**{kind: hold if handler.response_streaming else call})

    async def _check(self, method: str, context: Any) -> None:
        if not self._trust.accepts(context.auth_context()):
            await self._refuse_untrusted(method, context)
        names = peer_names(context.auth_context())
        if names.isdisjoint(self._names):
            self._refused(_REFUSED.name)
            self._refusals.report("wrong peer", lambda: f"{method} of {self._described(context.peer(), names)}")
            await context.abort(_REFUSED, f"only a supervisor may call this worker: {self._wanted()}")

    async def _refuse_untrusted(self, method: str, context: Any) -> None:
        self._refused(_UNTRUSTED.name)
        self._refusals.report("removed CA", lambda: f"{method} of {shown([context.peer()])}: {_REMOVED}")
        await context.abort(_UNTRUSTED, _REMOVED)

    def _described(self, peer: str, names: Collection[str]) -> str:
        has = f"the names {shown(names)}" if names else "no names"
        return f"{shown([peer])}, whose certificate has {has}: {self._wanted()}"

    def _wanted(self) -> str:
        return f"its certificate must have one of the names of --tls-supervisor ({', '.join(sorted(self._names))})"
