"""Accepts unary calls and begins the newest first, so that a supervisor without enough CPU still answers in time.

While the event loop is busy, calls wait. In the order of their arrival, each would begin shortly before its deadline
and be answered too late. The newest call has the most time left (docs/decisions/0005-answers-in-time.md). The callers
have their turns one after the other (docs/decisions/0030-fairness.md), and so have the connections of a caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import grpc

from mesh.bounded_calls import Reading
from mesh.errors import Expired, WrongRequest
from mesh.grpc_errors import CallerStatus, or_abort, status_for_caller
from supervisor import raw_call
from supervisor.callers.metrics import Result
from supervisor.callers.recognition import Admission
from supervisor.raw_call import CallEnded, RawCall
from supervisor.reading_calls import READING, READING_S, PunctualPeers, ReadingCalls

# Calls of a method that each server accepts in one turn of the event loop, beside the one that grpc.aio accepts and
# begins itself. A stream reads one request in two turns, so turns must stay short.
ACCEPTING = 2
WAIT_SHARE = 0.5  # a call that has waited for this share of its time is refused
OVERLOADED = CallerStatus(
    grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded: the supervisor has no time to read the request"
)
_log = logging.getLogger("supervisor.intake")

Rest = Callable[[], Awaitable[bytes]]  # waits for the answer to an admitted request
# Of a request, of the time until its deadline, of the admission of its caller, and of its trace context.
Begin = Callable[[bytes, "float | None", "Admission | None", str], "bytes | Rest"]
Admit = Callable[[RawCall], "Admission | None"]  # raises the error for the caller


class Intake:
    """Accepts the calls of `methods` by full name.

    `admit` recognises the caller of a call before its request is read. The function of a method gets the request, the
    seconds until its deadline (None: no deadline) and the admission. It returns the response, or what waits for it. If
    one of them raises an error, the caller gets the status of the error. `longest_s` returns the longest time of a
    call, which a new catalog changes. `on_refusal` is called for each call that is refused, for lack of CPU, before its
    request is read.
    """

    def __init__(
        self,
        methods: Mapping[str, Begin],
        longest_s: Callable[[], float],
        on_refusal: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        admit: Admit = lambda _: None,
    ) -> None:
        self._methods = methods
        self._admit = admit
        self._longest_s = longest_s
        self._on_refusal = on_refusal
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._punctual, self._others = self._queues = ReadingCalls(), ReadingCalls()
        self._punctual_peers = PunctualPeers()
        self._unread = Reading()  # with those that no longer have a place in a queue
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_due = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self, server: grpc.aio.Server) -> None:
        """Accepts calls of a started `server` until it stops."""
        if not raw_call.is_known(server):
            _log.warning("This version of grpcio is not known: calls are accepted one at a time")
            return
        for method in self._methods:
            for _ in range(ACCEPTING):
                self._spawn(self._accept(server, method))

    async def close(self) -> None:
        """Waits for the last calls, after all servers have stopped."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, server: grpc.aio.Server, method: str) -> None:
        while (call := await raw_call.accept(server, method)) is not None:
            remaining_s = call.remaining_s()
            longest_s = self._longest_s()
            time_s = longest_s if remaining_s is None else min(remaining_s, longest_s)
            if time_s > 0 and self._is_admitted(call):  # without time, the caller has left
                self._wait(call, self._clock() + WAIT_SHARE * time_s)
                self._run_soon()
            del call  # a call that nothing refers to is cancelled

    def _is_admitted(self, call: RawCall) -> bool:
        """Sets the admission of a call; refuses a call that is not admitted."""
        try:
            call.admission = self._admit(call)
        except Exception as error:  # the boundary of the process: the caller receives a status for every error
            self._spawn(_until_ended(call.refuse(status_for_caller(error, _log, call.method))))
            return False
        return True

    def _wait(self, call: RawCall, refuse_at_s: float) -> None:
        peer = call.peer()
        waiting = (self._punctual if peer in self._punctual_peers else self._others).waiting
        caller = call.admission.caller if call.admission is not None else None
        if caller is None:
            waiting.add(call, refuse_at_s, peer)
        else:
            waiting.add(call, refuse_at_s, peer, caller.name, is_critical=caller.rights.critical)

    def _run_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._is_due = False
        now_s = self._clock()
        is_waiting = False
        for queue in self._queues:
            if queue.reading:
                for call in queue.pop_slow(now_s, self._reading_s()):
                    self._punctual_peers.discard(call.peer())
            while queue.has_next:
                waiting = queue.waiting.pop_newest()
                if waiting.refuse_at_s <= now_s:
                    self._refuse(waiting.call)
                else:
                    queue.reading[waiting.call] = now_s
                    self._spawn(self._serve(waiting.call, queue))
            if queue.waiting:
                for call in queue.waiting.pop_refused(now_s):
                    self._refuse(call)
                is_waiting = True
        if is_waiting and self._timer is None:
            self._timer = self._loop.call_later(self._reading_s(), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._run_soon()

    def _reading_s(self) -> float:
        """The more callers are slow, the sooner the next one gives up its place: they must not hold up the others."""
        slow = max(0, self._unread.count - sum(len(queue.reading) for queue in self._queues))
        return READING_S / (1 + slow / READING)

    def _refuse(self, call: RawCall) -> None:
        self._on_refusal()
        if call.admission is not None:
            call.admission.count(Result.OVERLOADED)
        self._spawn(_until_ended(call.refuse(OVERLOADED)))

    async def _serve(self, call: RawCall, queue: ReadingCalls) -> None:
        try:
            request = await self._unread.wait_for(call.request())
            if call in queue.reading:
                self._punctual_peers.add(call.peer())
            outcome = self._begin(call, request)
        except CallEnded:
            return
        except (Expired, WrongRequest) as error:
            outcome = status_for_caller(error, _log, call.method)
        finally:
            queue.reading.pop(call, None)
            if queue.waiting:
                self._run_soon()
        if isinstance(outcome, bytes):
            await _until_ended(call.reply(outcome))
        elif isinstance(outcome, CallerStatus):
            await _until_ended(call.refuse(outcome))
        else:
            await self._finish(call, outcome)

    def _begin(self, call: RawCall, request: bytes) -> bytes | Rest | CallerStatus:
        try:
            return self._methods[call.method](request, call.remaining_s(), call.admission, call.traceparent)
        except Exception as error:  # the boundary of the process: the caller receives a status for every error
            return status_for_caller(error, _log, call.method)

    async def _finish(self, call: RawCall, rest: Rest) -> None:
        async def handler(_request: None, context: Any) -> bytes:
            return await or_abort(rest(), context, _log, call.method)

        await call.run(handler)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _until_ended(ending: Awaitable[None]) -> None:
    with contextlib.suppress(CallEnded):
        await ending
