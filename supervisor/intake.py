"""Accepts unary calls and begins the newest first, so that a supervisor without enough CPU still answers in time.

While the event loop is busy, calls wait. In the order of their arrival, each would begin shortly before its deadline
and be answered too late. The newest call has the most time left (docs/decisions/0005-answers-in-time.md). The callers
have their turns one after the other (docs/decisions/0030-fairness.md), and so have the connections of a caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import grpc

from mesh.bounded_calls import Reading
from mesh.errors import Expired, WrongRequest
from mesh.grpc_errors import CallerStatus, or_abort, status_for_caller
from supervisor import raw_call
from supervisor.acceptor import Acceptor
from supervisor.callers.metrics import Result
from supervisor.callers.recognition import Admission
from supervisor.held_calls import HeldCalls
from supervisor.raw_call import CallEnded, RawCall
from supervisor.reading_calls import READING, READING_S, KnownPeers, ReadingCalls

CROWD = 64  # waiting calls of connections that are not known to be punctual
REFUSED_IN_A_TURN = 16  # of the calls that wait; each takes about 0.07 ms
LATE_REFUSED_IN_A_TURN = 4  # if their connections are late
LATE_SOONER = 4  # a late connection has at least this part of READING_S
MOST_UNREAD = 256  # calls whose requests have not arrived: if they end at the same time, their ends are one turn
FLOOD = 32  # calls in a row whose callers left before they were read: more of this connection are held
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
        self._punctual, self._others, self._late = self._queues = ReadingCalls(), ReadingCalls(), ReadingCalls()
        self._peers = KnownPeers()
        self._unread = Reading(MOST_UNREAD)  # with those that no longer have a place in a queue
        self._held = HeldCalls(self._loop)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_due = False
        self._timer: asyncio.TimerHandle | None = None

    def claim(self, server: grpc.aio.Server) -> None:
        """Makes the intake the only one that accepts calls of its methods, before the start of `server`."""
        raw_call.claim(server, self._methods)

    def start(self, server: grpc.aio.Server) -> None:
        """Accepts calls of a started `server` until it stops."""
        if not raw_call.is_known(server):
            _log.warning("This version of grpcio is not known: calls are accepted one at a time")
            return
        for method in self._methods:
            Acceptor(server, method, self._take, self._is_crowded, self._spawn).start()

    def drain(self) -> None:
        """Prepares for the stop of all servers."""
        self._held.close()

    async def close(self) -> None:
        """Waits for the last calls, after all servers have stopped."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _is_crowded(self) -> bool:
        return len(self._others.waiting) + len(self._late.waiting) >= CROWD

    def _take(self, call: RawCall) -> None:
        remaining_s = call.remaining_s()
        longest_s = self._longest_s()
        time_s = longest_s if remaining_s is None else min(remaining_s, longest_s)
        if time_s > 0 and self._is_admitted(call):  # without time, the caller has left
            self._wait(call, self._clock() + WAIT_SHARE * time_s)
            self._run_soon()

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
        waiting = self._queue_of(peer).waiting
        caller = call.admission.caller if call.admission is not None else None
        if caller is None:
            waiting.add(call, refuse_at_s, peer)
        else:
            waiting.add(call, refuse_at_s, peer, caller.name, is_critical=caller.rights.critical)

    def _queue_of(self, peer: str) -> ReadingCalls:
        is_punctual = self._peers.is_punctual(peer)
        if is_punctual is None:
            return self._others
        return self._punctual if is_punctual else self._late

    def _run_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._is_due = False
        now_s = self._clock()
        is_full = False
        for queue in self._queues:
            if queue.reading:
                for call in queue.pop_slow(now_s, self._reading_s(queue)):
                    self._peers.note_late(call.peer())
            if queue.waiting:
                most = LATE_REFUSED_IN_A_TURN if queue is self._late else REFUSED_IN_A_TURN
                is_full |= self._begin_waiting(queue, now_s, most) == most
        if is_full:
            self._run_soon()
        elif self._timer is None and any(queue.waiting for queue in self._queues):
            self._timer = self._loop.call_later(self._reading_s(self._others), self._on_timer)

    def _begin_waiting(self, queue: ReadingCalls, now_s: float, most: int) -> int:
        """Begins calls of `queue`, and refuses at most `most`; returns the number of refused calls."""
        refused, moved = 0, []
        while refused < most and queue.has_next:
            call, refuse_at_s = queue.waiting.pop_newest()
            if refuse_at_s <= now_s:
                self._refuse(call)
                refused += 1
            elif self._queue_of(call.peer()) is not queue:  # its connection has become punctual or late since
                moved.append((call, refuse_at_s))
            else:
                queue.reading[call] = now_s
                self._spawn(self._serve(call, queue))
        for call, refuse_at_s in reversed(moved):
            self._wait(call, refuse_at_s)
            self._run_soon()
        for call in itertools.islice(queue.waiting.pop_refused(now_s), most - refused):
            self._refuse(call)
            refused += 1
        return refused

    def _on_timer(self) -> None:
        self._timer = None
        self._run_soon()

    def _reading_s(self, queue: ReadingCalls) -> float:
        """The more callers are slow, the sooner the next one gives up its place: they must not hold up the others.

        This matters less for connections that are late again.
        """
        slow = max(0, self._unread.count - sum(len(queue.reading) for queue in self._queues))
        sooner = 1 + slow / READING
        return READING_S / (min(sooner, LATE_SOONER) if queue is self._late else sooner)

    def _refuse(self, call: RawCall) -> None:
        self._on_refusal()
        if call.admission is not None:
            call.admission.count(Result.OVERLOADED)
        self._spawn(_until_ended(call.refuse(OVERLOADED)))

    async def _serve(self, call: RawCall, queue: ReadingCalls) -> None:
        unread: CallerStatus | None = None
        began_s = self._clock()
        try:
            request = await self._unread.wait_for(call.request())
            # A call may have lost its place sooner, because others are slow or this process was.
            if call in queue.reading or self._clock() - began_s < READING_S:
                self._peers.note_request(call.peer())
        except CallEnded:
            return
        except (Expired, WrongRequest) as error:
            unread = status_for_caller(error, _log, call.method)
        else:
            outcome = self._begin(call, request)
        finally:
            queue.reading.pop(call, None)
            if queue.waiting:
                self._run_soon()
        if unread is not None:
            await self._refuse_unread(call, unread)
        elif isinstance(outcome, bytes):
            await _until_ended(call.reply(outcome))
        elif isinstance(outcome, CallerStatus):
            await _until_ended(call.refuse(outcome))
        else:
            await self._finish(call, outcome)

    async def _refuse_unread(self, call: RawCall, status: CallerStatus) -> None:
        try:
            await call.refuse(status)
        except CallEnded:
            # A caller whose deadline has passed is not hostile: it leaves because this process is slow.
            if call.remaining_s() != 0 and self._peers.note_left(call.peer()) > FLOOD:
                self._held.add(call)

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
