"""Traces of `mesh up`: from the caller through the supervisor to the workers, as an OTLP receiver gets them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from mesh.cli.metrics_page import Page, fetch
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end import meshes
from tests.end_to_end.load import PATIENCE_S
from tests.end_to_end.meshes import FEW, World
from tests.end_to_end.test_scores import offer_request
from tests.free_port import free_port
from tests.otlp_receiver import Received, Receiver, otlp_receiver
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine
VERSION = "weighted-mean"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"


@asynccontextmanager
async def traced(world: World) -> AsyncIterator[tuple[StartedMesh, Receiver]]:
    """A mesh that keeps only the traces of callers and of faults."""
    async with otlp_receiver() as receiver:
        options = ("--trace-to", receiver.address, "--trace-share", "0")
        running = meshes.running(world.catalog, *options)
        mesh = await asyncio.to_thread(running.__enter__)  # the receiver must answer meanwhile
        try:
            yield mesh, receiver
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


@asynccontextmanager
async def stub_of(mesh: StartedMesh) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        yield offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]


def children(spans: list[Received], parent: Received) -> list[Received]:
    return [one for one in spans if one.span.parent_span_id == parent.span.span_id]


async def test_trace_of_a_caller_reaches_the_workers(world: World) -> None:
    async with traced(world) as (mesh, receiver), stub_of(mesh) as stub:
        answer = await stub.GetOffer(
            offer_request(world.players[0], VERSION), timeout=10, metadata=[("traceparent", SAMPLED)]
        )
        await receiver.until(lambda: len(receiver.spans) >= 3 + 2 * len(FEW))
        spans = receiver.spans
    assert {one.trace_id for one in spans} == {TRACE}
    (request,) = receiver.named("request")
    assert request.span.parent_span_id.hex() == PARENT
    assert request.attributes["mesh.decision_id"] == answer.decision_id
    assert (request.attributes["mesh.version"], request.attributes["mesh.source"]) == (VERSION, "ENSEMBLE")
    assert "mesh.player_id" not in request.attributes
    (cohort,) = children(spans, request)
    assert [link.span_id for link in cohort.span.links] == [request.span.span_id]
    (read,) = [one for one in children(spans, cohort) if one.span.name == "store read"]
    assert read.attributes["mesh.found"] == 1
    members = [one for one in children(spans, cohort) if one is not read]
    assert {one.attributes["mesh.model"] for one in members} == {kind.replace("_", "-") for kind in FEW}
    for member in members:
        (scored,) = children(spans, member)
        assert scored.service == "ensemble-mesh-worker"
        assert scored.attributes["mesh.rows"] == member.attributes["mesh.rows"] == 4
        assert member.span.start_time_unix_nano <= scored.span.start_time_unix_nano
        assert scored.span.end_time_unix_nano <= member.span.end_time_unix_nano


async def test_trace_of_a_request_on_a_stream_comes_with_the_request(world: World) -> None:
    async with traced(world) as (mesh, receiver), stub_of(mesh) as stub:
        request = offer_request(world.players[0], VERSION)
        request.request_id, request.traceparent = "one", SAMPLED
        stream = stub.StreamOffers()
        await stream.write(request)
        answer = await stream.read()
        await receiver.until(lambda: bool(receiver.named("request")))
        stream.cancel()
    (span,) = receiver.named("request")
    assert (span.trace_id, span.attributes["mesh.decision_id"]) == (TRACE, answer.decision_id)


async def test_partial_answer_is_kept_and_shows_the_model_that_did_not_reply(world: World) -> None:
    async with traced(world) as (mesh, receiver), stub_of(mesh) as stub:
        os.kill(mesh.pid("rf", VERSION), signal.SIGSTOP)
        try:
            # Shorter than the time after which the lane to a stopped process is down.
            answer = await stub.GetOffer(offer_request(world.players[0], VERSION), timeout=1)
        finally:
            os.kill(mesh.pid("rf", VERSION), signal.SIGCONT)
        assert answer.source == wire.PARTIAL
        await receiver.until(lambda: bool(receiver.named("member rf")))
    (request,) = receiver.named("request")
    assert request.attributes["mesh.kept_for"] == "partial"
    assert {one.trace_id for one in receiver.named("member")} == {request.trace_id}
    assert receiver.named("member rf")[0].span.status.message == "no reply before the end of the cohort"


async def test_mesh_answers_while_no_collector_listens_and_counts_the_drops(world: World) -> None:
    options = ("--trace-to", f"127.0.0.1:{free_port()}", "--trace-share", "100")
    with meshes.running(world.catalog, *options) as mesh:
        async with stub_of(mesh) as stub, asyncio.timeout(PATIENCE_S):
            page: Page | None = None
            while page is None or not page.total("mesh_trace_spans_dropped_total"):
                answer = await stub.GetOffer(offer_request(world.players[0], VERSION), timeout=10)
                assert answer.source == wire.ENSEMBLE
                page = await asyncio.to_thread(fetch, mesh.ready["metrics"])
        assert await asyncio.to_thread(mesh.stop) == 0
