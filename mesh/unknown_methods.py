"""A server of grpc.aio that survives calls of methods that it does not know.

grpc.aio 1.85 decodes the path of such a call in the loop that accepts all calls. A path that is not UTF-8 ends this
loop: one request, and the server has closed its port while its process goes on. Therefore calls of unknown methods
never reach that loop; they are refused here, without a look at their path.

grpc.aio has no public way to do this, so this file uses private parts of grpcio. Every method must be registered
(`add_registered_method_handlers`): generic handlers are not asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence
from typing import Any, cast

import grpc
from grpc._cython import cygrpc
from grpc.aio._server import Server

_PARTS = (
    "ExecuteBatchError",
    "ReceiveCloseOnServerOperation",
    "SendInitialMetadataOperation",
    "SendStatusFromServerOperation",
    "execute_batch",
    "get_working_loop",
)
_log = logging.getLogger("mesh.unknown_methods")


def new_server(options: Sequence[tuple[str, Any]], interceptors: Sequence[Any] = ()) -> grpc.aio.Server:
    """Returns a server; it serves only methods that are registered."""
    accepting = getattr(cygrpc, "AioServer", None)
    if not hasattr(accepting, "_request_call") or not all(hasattr(cygrpc, part) for part in _PARTS):
        _log.warning("This version of grpcio is not known: a call of an unknown method may stop the server")
        return grpc.aio.server(options=options, interceptors=interceptors)
    return cast("grpc.aio.Server", _Server(options, interceptors))


class _Server(Server):
    def __init__(self, options: Sequence[tuple[str, Any]], interceptors: Sequence[Any]) -> None:
        # Not super().__init__(): it would make a server of the other class, which must be shut down.
        self._loop = cygrpc.get_working_loop()
        self._server = _AioServer(self._loop, None, (), interceptors, tuple(options), None)


class _AioServer(cygrpc.AioServer):  # type: ignore[misc]  # has no types
    """Refuses each call of an unknown method instead of returning it to the loop of grpc.aio.

    If the loop fails nevertheless, this process gets SIGTERM: it drains, ends and is started again. The loop does not
    accept calls of `claimed` methods, which are registered, too; `request_claimed_call` returns them.
    """

    claimed: frozenset[bytes] = frozenset()

    async def request_claimed_call(self, method: bytes) -> Any:
        """Returns the next call of a claimed method."""
        return await super()._request_registered_call(method)

    async def _request_registered_call(self, method: bytes) -> Any:
        if method in self.claimed:
            await asyncio.get_running_loop().create_future()  # until the loop ends and cancels it
        return await super()._request_registered_call(method)

    async def _request_call(self) -> Any:
        loop = asyncio.get_running_loop()
        ending: set[asyncio.Task[None]] = set()
        while True:
            task = loop.create_task(_refuse(await super()._request_call(), loop))
            ending.add(task)  # a call that nothing refers to is cancelled
            task.add_done_callback(ending.discard)

    def _serving_task_crash_handler(self, task: asyncio.Task[None]) -> None:
        super()._serving_task_crash_handler(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("the gRPC server accepts no more calls, so this process stops", exc_info=task.exception())
            signal.raise_signal(signal.SIGTERM)


async def _refuse(call: Any, loop: asyncio.AbstractEventLoop) -> None:
    code = grpc.StatusCode.UNIMPLEMENTED.value[0]
    parts = (
        cygrpc.SendInitialMetadataOperation((), 0),
        cygrpc.SendStatusFromServerOperation((), code, "this server has no such method", 0),
        cygrpc.ReceiveCloseOnServerOperation(0),
    )
    with contextlib.suppress(cygrpc.ExecuteBatchError):  # the caller has left
        await cygrpc.execute_batch(call, parts, loop)
