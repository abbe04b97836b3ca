"""The client against scripted supervisors on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from ensemble_mesh_client import Answer, OfferClient, Source, WrongRequest
from ensemble_mesh_client.wire import offers_pb2 as client_wire

from loadtest.clients.scripted import Answering, Scripted, at_once, scripted
from mesh.wire import offers_pb2 as wire

LONG_S = 20.0  # a deadline that no answer needs: the test would hang, not pass late


async def never(_request: wire.GetOfferRequest) -> None:
    return None


def failing(code: int, message: str) -> Answering:
    async def answer(request: wire.GetOfferRequest) -> wire.GetOfferResponse:
        return wire.GetOfferResponse(request_id=request.request_id, error=wire.Error(code=code, message=message))

    return answer


@asynccontextmanager
async def asking(*supervisors: Scripted, deadline_s: float = LONG_S, **options: float) -> AsyncIterator[OfferClient]:
    targets = [one.address for one in supervisors]
    async with OfferClient(targets, game="g", fallback="mine", deadline_s=deadline_s, **options) as client:  # type: ignore[arg-type]
        await until(lambda: all(one.streams for one in supervisors))
        yield client


async def until(is_true: Callable[[], bool]) -> None:
    while not is_true():  # noqa: ASYNC110 (the other side is a server, which has no event for it)
        await asyncio.sleep(0.01)


async def ask_many(client: OfferClient, count: int) -> list[Answer]:
    return await asyncio.gather(*(client.get_offer(f"player-{number}") for number in range(count)))


async def test_answer_has_the_offer_its_source_and_its_decision() -> None:
    async with scripted() as mesh, asking(mesh) as client:
        answer = await client.get_offer("p", context={"level": 12, "vip": True, "platform": "ios"}, limit=3)
    assert (answer.offer_id, answer.source, answer.decision_id) == ("best", Source.ENSEMBLE, "d")
    (request,) = mesh.requests
    assert (request.game, request.player_id, request.limit) == ("g", "p", 3)
    assert request.context["level"].number == 12
    assert request.context["vip"].flag is True
    assert request.context["platform"].text == "ios"
    assert request.deadline_ms == LONG_S * 1000


async def test_silent_mesh_gives_the_fallback_of_the_application_at_the_deadline() -> None:
    async with scripted(never) as mesh, asking(mesh, deadline_s=0.1) as client:
        answer = await client.get_offer("p")
    assert (answer.offer_id, answer.source, answer.reason) == ("mine", Source.LOCAL, "no answer in time")


async def test_mesh_that_is_out_of_reach_gives_the_fallback() -> None:
    async with OfferClient("127.0.0.1:1", game="g", fallback="mine", deadline_s=0.1, connect_s=0.1) as client:
        answer = await client.get_offer("p")
    assert answer.source is Source.LOCAL
    assert answer.reason.startswith("no supervisor is connected: 127.0.0.1:1: UNAVAILABLE: ")


@pytest.mark.parametrize("code", [3, 5, 9, 12])
async def test_wrong_request_raises_the_text_of_the_mesh(code: int) -> None:
    async with scripted(failing(code, "offer_ids: unknown")) as mesh, asking(mesh) as client:
        with pytest.raises(WrongRequest, match="offer_ids: unknown") as caught:
            await client.get_offer("p")
    assert caught.value.code == code
    assert len(mesh.requests) == 1


async def test_overload_is_not_retried() -> None:
    busy = failing(8, "too much")
    async with scripted(busy) as one, scripted(busy) as other, asking(one, other) as client:
        answer = await client.get_offer("p")
    assert (answer.source, answer.reason) == (Source.LOCAL, "overloaded: too much")
    assert len(one.requests) + len(other.requests) == 1


async def test_internal_error_goes_to_another_supervisor() -> None:
    async with scripted(failing(13, "bug")) as one, scripted() as other, asking(one, other) as client:
        answers = await ask_many(client, 20)
    assert {answer.source for answer in answers} == {Source.ENSEMBLE}
    assert one.requests
    assert len(other.requests) == 20


async def test_player_stays_with_one_supervisor() -> None:
    async with AsyncExitStack() as stack:
        meshes = [await stack.enter_async_context(scripted()) for _ in range(3)]
        client = await stack.enter_async_context(asking(*meshes, hedge_percent=0))
        for _ in range(2):  # too few answers to learn a p95: no pause of a busy machine looks like a stall
            for number in range(12):
                await client.get_offer(f"player-{number}")
    served = [{request.player_id for request in one.requests} for one in meshes]
    assert sum(map(len, served)) == 12


async def test_stream_that_ends_with_ok_loses_no_question() -> None:
    async with scripted(never) as mesh, asking(mesh) as client:
        asked = asyncio.create_task(ask_many(client, 10))
        await until(lambda: len(mesh.requests) >= 10)
        mesh.answer = at_once
        mesh.end()
        answers = await asked
    assert {answer.source for answer in answers} == {Source.ENSEMBLE}


async def test_lost_stream_sends_its_questions_to_the_other_supervisor() -> None:
    async with scripted(never) as lost, scripted() as other, asking(lost, other, hedge_percent=0) as client:
        asked = asyncio.create_task(ask_many(client, 20))
        await until(lambda: bool(lost.requests))
        lost.end(grpc.StatusCode.UNAVAILABLE)
        answers = await asked
    assert {answer.source for answer in answers} == {Source.ENSEMBLE}


async def test_refused_stream_means_overload() -> None:
    async with scripted(never) as mesh, asking(mesh, links=1) as client:
        asked = asyncio.create_task(client.get_offer("p"))
        await until(lambda: bool(mesh.requests))
        mesh.end(grpc.StatusCode.RESOURCE_EXHAUSTED)
        answer = await asked
    assert answer.source is Source.LOCAL
    assert answer.reason.startswith("overloaded")
    assert len(mesh.requests) == 1


async def test_stalled_supervisor_loses_its_questions_and_gets_them_again_when_it_answers() -> None:
    async with scripted() as one, scripted() as other, asking(one, other, hedge_percent=0) as client:
        await ask_many(client, 64)  # learns the p95
        one.answer = never
        answers = await ask_many(client, 64)
        assert {answer.source for answer in answers} == {Source.ENSEMBLE}
        one.answer = at_once
        before = len(one.requests)
        while len(one.requests) < before + 20:  # a probe finds that it answers again
            await ask_many(client, 8)
            await asyncio.sleep(0.01)


async def test_slow_supervisors_are_asked_although_all_are_ejected() -> None:
    async with scripted(never) as one, scripted(never) as other, asking(one, other) as client:
        silent = [client.get_offer(f"player-{number}", deadline_s=0.1) for number in range(40)]
        assert {answer.source for answer in await asyncio.gather(*silent)} == {Source.LOCAL}
        one.answer = other.answer = at_once
        assert {answer.source for answer in await ask_many(client, 10)} == {Source.ENSEMBLE}


async def test_cancelled_question_is_forgotten() -> None:
    async with scripted(never) as mesh, asking(mesh) as client:
        asked = asyncio.create_task(client.get_offer("p"))
        await until(lambda: bool(mesh.requests))
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        mesh.answer = at_once
        assert (await client.get_offer("q")).source is Source.ENSEMBLE


async def test_closing_answers_the_questions_that_wait() -> None:
    async with OfferClient("127.0.0.1:1", game="g", fallback="mine", deadline_s=LONG_S, connect_s=0.1) as client:
        asked = asyncio.create_task(client.get_offer("p"))
        await asyncio.sleep(0)
    assert (await asked).source is Source.LOCAL


async def test_outcome_is_repeated_until_it_is_taken() -> None:
    async with scripted() as mesh, asking(mesh) as client:
        mesh.outcome_errors = [wire.Error(code=8, message="busy")]
        client.report_outcome(client_wire.ReportOutcomeRequest(outcome_id="t1", decision_id="d", kind="SHOWN"))
        client.report_outcome(client_wire.ReportOutcomeRequest(outcome_id="t2", decision_id="d", kind="PURCHASED"))
        await until(lambda: len(mesh.outcomes) >= 2)
    assert sorted((one.outcome_id, one.game) for one in mesh.outcomes) == [("t1", "g"), ("t2", "g")]


async def test_wrong_outcome_is_dropped_and_the_next_is_sent() -> None:
    async with scripted() as mesh, asking(mesh) as client:
        mesh.outcome_errors = [wire.Error(code=3, message="value: is negative")]
        client.report_outcome(client_wire.ReportOutcomeRequest(outcome_id="t1"))
        client.report_outcome(client_wire.ReportOutcomeRequest(outcome_id="t2"))
        await until(lambda: bool(mesh.outcomes))
    assert [one.outcome_id for one in mesh.outcomes] == ["t2"]


async def test_outcome_without_an_id_is_refused_at_once() -> None:
    async with scripted() as mesh, asking(mesh) as client:
        with pytest.raises(ValueError, match="outcome_id: is missing"):
            client.report_outcome(client_wire.ReportOutcomeRequest())
