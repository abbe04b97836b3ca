"""The client without room, at its end, with refused copies, and with missing names and files."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from ensemble_mesh_client import OfferClient, Security, Source, WrongRequest
from ensemble_mesh_client.addresses import Addresses
from ensemble_mesh_client.link import MOST_UNANSWERED
from ensemble_mesh_client.wire import offers_pb2 as client_wire

from loadtest.clients.scripted import at_once, scripted
from mesh.tls.live import LiveTls
from mesh.wire import offers_pb2 as wire
from tests.certificates import SERVER_NAME, Certificates
from tests.clients.python.test_client import LONG_S, ask_many, asking, failing, never, until


async def test_questions_that_found_no_room_are_asked_when_there_is_room() -> None:
    gate = asyncio.Event()

    async def gated(request: wire.GetOfferRequest) -> wire.GetOfferResponse:
        await gate.wait()
        return await at_once(request)

    more = 20
    async with scripted(gated) as mesh, asking(mesh, links=1, hedge_percent=0) as client:
        asked = asyncio.create_task(ask_many(client, MOST_UNANSWERED + more))
        await until(lambda: len(mesh.requests) >= MOST_UNANSWERED)
        assert len(mesh.requests) == MOST_UNANSWERED
        gate.set()
        answers = await asked
    assert {answer.source for answer in answers} == {Source.ENSEMBLE}


async def test_closing_answers_the_questions_that_were_sent() -> None:
    async with scripted(never) as mesh, asking(mesh) as client:
        asked = asyncio.create_task(client.get_offer("p"))
        await until(lambda: bool(mesh.requests))
    answer = await asked
    assert (answer.source, answer.reason) == (Source.LOCAL, "the client is closed")


async def test_closed_client_answers_at_once() -> None:
    async with scripted() as mesh, asking(mesh) as client:
        pass
    answer = await client.get_offer("p")
    assert (answer.source, answer.reason) == (Source.LOCAL, "the client is closed")


async def test_refused_copy_does_not_take_the_question_from_the_other_supervisor() -> None:
    async with scripted() as one, scripted() as other, asking(one, other, hedge_percent=100) as client:
        await ask_many(client, 64)  # learns the p95, after which the copy goes out
        gate = asyncio.Event()

        async def gated(request: wire.GetOfferRequest) -> wire.GetOfferResponse:
            await gate.wait()
            return await at_once(request)

        one.answer, other.answer = gated, failing(8, "too much")
        player = next(
            request.player_id
            for request in one.requests
            if request.player_id not in {copy.player_id for copy in other.requests}
        )
        before = len(other.requests)
        asked = asyncio.create_task(client.get_offer(player))
        await until(lambda: len(other.requests) > before)
        gate.set()
        assert (await asked).source is Source.ENSEMBLE


async def test_answer_without_an_offer_gives_the_fallback() -> None:
    async def empty(request: wire.GetOfferRequest) -> wire.GetOfferResponse:
        return wire.GetOfferResponse(request_id=request.request_id, source=wire.FALLBACK)

    async with scripted(empty) as mesh, asking(mesh) as client:
        answer = await client.get_offer("p")
    assert (answer.offer_id, answer.source, answer.reason) == ("mine", Source.LOCAL, "the answer has no offer")


async def test_local_answer_has_the_reason_of_the_last_failure_until_a_supervisor_answers() -> None:
    async with scripted(never) as mesh, asking(mesh) as client:
        asked = asyncio.create_task(client.get_offer("p"))
        while not asked.done():
            mesh.end(grpc.StatusCode.PERMISSION_DENIED)
            await asyncio.sleep(0.01)
        reason = f"the connection was lost: {mesh.address}: PERMISSION_DENIED: as the scenario says"
        assert ((await asked).source, (await asked).reason) == (Source.LOCAL, reason)
        mesh.answer = at_once
        assert (await client.get_offer("p")).source is Source.ENSEMBLE
        mesh.answer = never
        assert (await client.get_offer("p", deadline_s=0.05)).reason == "no answer in time"


@pytest.mark.parametrize("wrong", [{"context": {"level": [1]}}, {"limit": -1}, {"traceparent": "\ud800"}])
async def test_request_that_cannot_be_encoded_is_wrong_and_is_not_sent(wrong: dict[str, Any]) -> None:
    async with scripted() as mesh, asking(mesh) as client:
        with pytest.raises(WrongRequest):
            await client.get_offer("p", **wrong)
        assert (await client.get_offer("p")).source is Source.ENSEMBLE
    assert len(mesh.requests) == 1


async def test_cancelled_start_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    starting = asyncio.create_task(OfferClient("127.0.0.1:1", game="g", fallback="mine").__aenter__())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await until(lambda: asyncio.all_tasks() == before)  # the calls of grpc.aio end a moment later


async def test_name_that_cannot_be_looked_up_keeps_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = {"a.games": "10.0.0.1", "b.games": "10.0.0.2"}

    async def look_up(host: str, port: int, **_: object) -> list[Any]:
        if host not in hosts:
            raise socket.gaierror("not now")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (hosts[host], port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    monkeypatch.setattr("ensemble_mesh_client.addresses.LOOK_UP_EVERY_S", 0.0)
    seen: list[set[str]] = []
    following = asyncio.create_task(Addresses(["a.games:9000", "b.games:9000"], seen.append).follow())
    await until(lambda: bool(seen))
    del hosts["a.games"]
    before = len(seen)
    await until(lambda: len(seen) > before + 1)
    following.cancel()
    assert seen[-1] == {"10.0.0.1:9000", "10.0.0.2:9000"}


async def test_missing_file_is_reported_and_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certificates = Certificates(tmp_path)
    tls, files = LiveTls(certificates.server()), certificates.client()
    security = Security(files.ca, files.cert, files.key, SERVER_NAME)
    hidden = files.key.with_suffix(".hidden")
    async with scripted(credentials=tls.server_credentials()) as mesh:
        client = OfferClient(mesh.address, game="g", fallback="mine", deadline_s=LONG_S, security=security, links=1)
        async with client:
            assert (await client.get_offer("p")).source is Source.ENSEMBLE
            files.key.rename(hidden)
            with caplog.at_level(logging.WARNING):
                mesh.end()
                await until(lambda: str(files.key) in caplog.text)
            hidden.rename(files.key)
            assert (await client.get_offer("p")).source is Source.ENSEMBLE


async def test_outcome_is_reported_after_a_stream_that_was_lost() -> None:
    async with scripted() as mesh, asking(mesh) as client:
        client.report_outcome(client_wire.ReportOutcomeRequest(outcome_id="t1"))
        await until(lambda: client.outcomes.taken == 1)
    assert (client.outcomes.waiting, client.outcomes.dropped) == (0, 0)
