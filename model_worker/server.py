"""Starts the parts of a worker in order, and stops them in reverse order."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from socket import gethostname
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2

from mesh import reflection
from mesh.background import in_background
from mesh.checking_server import CheckingServer
from mesh.first_of import first_of
from mesh.heap import return_freed_memory, settle_heap
from mesh.metrics_endpoint import Pages, metrics_endpoint
from mesh.serving import MESSAGE_LIMIT_BYTES, Health, bind, bind_socket, server_options, stop_signal
from mesh.tracing.opening import span_export
from mesh.unknown_methods import new_server
from mesh.wire import inference_pb2
from mesh.wire.inference_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from model_worker.counters import WorkerCounters
from model_worker.forest import Forest
from model_worker.identity import Engine, Identity
from model_worker.queue import PredictQueue, QueueLimits, running_queue
from model_worker.service import SERVICE, InferenceService
from model_worker.settings import Settings
from model_worker.tracing import WorkerTracer
from model_worker.trial import PROOF_FAILED

if TYPE_CHECKING:
    from mesh.logs.setup import LogOutput
    from mesh.tls.https import HttpsContext
    from mesh.tls.live import LiveTls
    from mesh.tracing.export import SpanExport

log = logging.getLogger(__name__)

EXIT_DRAINED, EXIT_FAILED = 0, 1
MAX_ON_LOOP_NS = 300_000


async def serve(settings: Settings, identity: Identity, forest: Forest, log_output: LogOutput) -> int:
    """Serves until SIGTERM or SIGINT, then answers the admitted requests; returns the exit code.

    Raises OSError or `Misconfigured` if a port is in use.
    """
    counters, limits = WorkerCounters(), queue_limits(settings, identity.engine)
    async with AsyncExitStack() as parts:
        stop = await parts.enter_async_context(stop_signal())
        queue = await parts.enter_async_context(running_queue(forest, limits, counters.record, settings.drain_s))
        export = await parts.enter_async_context(_span_export(settings))
        tracer = _tracer(settings, export)
        service = InferenceService(identity, queue, forest.table, settings.max_batch_rows, counters.refuse, tracer)
        health = Health([SERVICE])
        tls = _open_tls(settings)
        server = new_server(server_options(MESSAGE_LIMIT_BYTES), _interceptors(settings, tls, counters))
        add_GRPCInferenceServiceServicer_to_server(service, CheckingServer(server))  # type: ignore[no-untyped-call]
        await health.attach(server)
        if not settings.no_reflection:
            reflection.attach(server, (inference_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR))
        await parts.enter_async_context(in_background(*_background_work(tls)))
        port = bind(server, settings.host, settings.port, _credentials(tls))
        if settings.socket is not None:
            bind_socket(server, settings.socket, _credentials(tls))
        exposition = functools.partial(_exposition, identity, counters, queue, log_output, tls, export)
        pages = Pages({"/": exposition, "/metrics": exposition}, health.checks())
        metrics = metrics_endpoint(pages, settings.host, settings.metrics_port, _https(settings, tls))
        metrics_port = await parts.enter_async_context(metrics)
        await server.start()
        await health.set_serving(True)
        settle_heap()
        log_engine(identity)
        _print_ready(identity, port, metrics_port, settings.socket)
        code = await _wait_for_end(stop, queue)
        await health.set_serving(False)
        service.drain()
        await queue.drain(settings.drain_s)
        await server.stop(settings.drain_s)
    log.info("%s: drained", identity.name)
    return code


def _background_work(tls: LiveTls | None) -> Iterator[Coroutine[Any, Any, None]]:
    yield return_freed_memory()
    if tls is not None:
        yield tls.watch()


def _span_export(settings: Settings) -> AbstractAsyncContextManager[SpanExport | None]:
    attributes = {"service.name": "ensemble-mesh-worker", "service.instance.id": f"{gethostname()}-{os.getpid()}"}
    return span_export(settings.traces, attributes, os.environ)


def _tracer(settings: Settings, export: SpanExport | None) -> WorkerTracer | None:
    if settings.traces is None or export is None:
        return None
    return WorkerTracer(export, settings.name, settings.traces.share)


def queue_limits(settings: Settings, engine: Engine) -> QueueLimits:
    """Returns the limits of the queue. LightGBM, which takes longer, never scores on the event loop."""
    on_loop_ns = MAX_ON_LOOP_NS if engine.name == "forest" else 0
    return QueueLimits(settings.max_batch_rows, settings.max_queue_rows, on_loop_ns)


def _open_tls(settings: Settings) -> LiveTls | None:
    """Reads the certificate, if there is one. Raises Misconfigured."""
    if settings.tls is None:
        return None
    from mesh.tls.demands import Demands
    from mesh.tls.live import LiveTls  # here, because its imports slow down each start

    return LiveTls(settings.tls, demands=Demands(serves=True, dns_name=True))


def _interceptors(
    settings: Settings, tls: LiveTls | None, counters: WorkerCounters
) -> list[grpc.aio.ServerInterceptor]:
    """With TLS, only supervisors may call."""
    if tls is None:
        return []
    from mesh.tls.trust import Trust
    from model_worker.peers import SupervisorsOnly

    return [SupervisorsOnly(settings.tls_supervisor, Trust(tls), counters.refuse)]


def _credentials(tls: LiveTls | None) -> grpc.ServerCredentials | None:
    return None if tls is None else tls.server_credentials()


def _https(settings: Settings, tls: LiveTls | None) -> HttpsContext | None:
    if tls is None or not settings.metrics_tls:
        return None
    from mesh.tls.https import HttpsContext

    return HttpsContext(tls)


def _exposition(
    identity: Identity,
    counters: WorkerCounters,
    queue: PredictQueue,
    log_output: LogOutput,
    tls: LiveTls | None,
    export: SpanExport | None,
) -> bytes:
    from model_worker.metrics import exposition

    return exposition(identity, counters, queue.in_flight, log_output, tls, export)


def log_engine(identity: Identity) -> None:
    """Logs which engine scores. Only a failed proof is a warning: a missing or disabled engine is intended."""
    level = logging.WARNING if identity.engine.cause == PROOF_FAILED else logging.INFO
    log.log(level, "%s: scored by %s", identity.name, identity.engine)


def _print_ready(identity: Identity, port: int, metrics_port: int, socket: str | None) -> None:
    """Prints the only line on stdout, for the program that started this worker."""
    engine = {"engine": identity.engine.name, "engine_reason": identity.engine.reason}
    ready = {"event": "ready", "name": identity.name, "port": port, "metrics_port": metrics_port, **engine}
    print(json.dumps(ready if socket is None else {**ready, "socket": socket}), flush=True)


async def _wait_for_end(stop: asyncio.Event, queue: PredictQueue) -> int:
    """Waits for a signal, or for the end of the predict thread, after which only a new process helps."""
    await first_of(stop.wait(), queue.ended())
    return EXIT_DRAINED if stop.is_set() else EXIT_FAILED
