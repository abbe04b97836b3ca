"""ReportOutcome and StreamOutcomes over a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from mesh.wire import offers_pb2 as wire
from supervisor.outcomes import service
from tests.supervisor.backend import Backend, backend
from tests.supervisor.outcomes.test_desk import FakeLog
from tests.supervisor.outcomes.test_outcome import DECISION
from tests.supervisor.replica import until

WITHIN_S = 20.0


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Backend]:
    async with backend(tmp_path) as running:
        yield running


@pytest.fixture
def log(whole: Backend) -> FakeLog:
    """The log of the game."""
    log = FakeLog()
    object.__setattr__(whole.game, "outcome_log", log)  # a frozen dataclass
    return log


def report(**fields: Any) -> wire.ReportOutcomeRequest:
    return wire.ReportOutcomeRequest(**{"game": "g", "outcome_id": "o1", "decision_id": DECISION, "kind": 1, **fields})


def use_up(whole: Backend) -> None:
    """Takes all reports that the supervisor would take now; it takes few further ones."""
    rate = whole.service._outcomes._rate
    rate.set_rate(1.0, 0.0)
    while rate.take():
        pass


async def refusal(whole: Backend, **fields: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await whole.stub.ReportOutcome(report(**fields), timeout=WITHIN_S)
    return caught.value.code(), str(caught.value.details())


async def test_outcome_of_an_answer_is_taken_and_a_repeated_report_is_a_duplicate(whole: Backend, log: FakeLog) -> None:
    decision = (await whole.offer()).decision_id
    answers = [
        await whole.stub.ReportOutcome(report(decision_id=decision, kind=wire.CLICKED), timeout=WITHIN_S)
        for _ in range(2)
    ]
    assert [answer.duplicate for answer in answers] == [False, True]
    assert [(one.decision_id, one.kind) for one in log.outcomes] == [(decision, "clicked")]


async def test_game_without_a_log_and_wrong_reports_have_their_own_status(whole: Backend) -> None:
    code, text = await refusal(whole)
    assert (code, "has no `decisions` block" in text) == (grpc.StatusCode.FAILED_PRECONDITION, True)
    assert (await refusal(whole, game="x"))[0] == grpc.StatusCode.NOT_FOUND


async def test_wrong_report_has_an_error_that_names_its_field(whole: Backend, log: FakeLog) -> None:
    assert await refusal(whole, outcome_id="") == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "outcome_id: is empty; set it",
    )
    assert not log.outcomes


async def test_report_without_cpu_is_refused_and_counted(
    whole: Backend, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LONGEST_WAIT_S", 0.0)
    use_up(whole)
    code, text = await refusal(whole)
    assert (code, text.startswith("overloaded: ")) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
    assert whole.metrics.registry.get_sample_value("mesh_outcomes_refused_total", {"reason": "overloaded"}) == 1
    assert not log.outcomes


async def test_report_is_refused_at_once_if_too_many_wait(
    whole: Backend, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_WAITING", 0)
    assert (await refusal(whole))[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not log.outcomes


async def test_report_without_cpu_waits_for_its_turn(whole: Backend, log: FakeLog) -> None:
    use_up(whole)
    await whole.stub.ReportOutcome(report(), timeout=WITHIN_S)
    assert len(log.outcomes) == 1


async def test_stream_answers_each_report_in_order_and_a_wrong_one_does_not_hurt_its_neighbours(
    whole: Backend, log: FakeLog
) -> None:
    reports = [report(outcome_id=f"o{number}", kind=number % 4) for number in range(40)]
    call = whole.stub.StreamOutcomes(iter(reports), timeout=WITHIN_S)
    answers = [answer async for answer in call]
    assert [answer.outcome_id for answer in answers] == [one.outcome_id for one in reports]
    wrong = [number for number, answer in enumerate(answers) if answer.HasField("error")]
    assert wrong == list(range(0, 40, 4))
    assert (answers[0].error.code, answers[0].error.message[:10]) == (3, "kind: is 0")
    assert len(log.outcomes) == 30


async def test_stream_is_slower_without_cpu_but_loses_no_report(whole: Backend, log: FakeLog) -> None:
    whole.service._outcomes._rate.set_rate(1.0, 0.0)  # 50 reports a second
    reports = [report(outcome_id=f"o{number}") for number in range(20)]
    answers = [answer async for answer in whole.stub.StreamOutcomes(iter(reports), timeout=WITHIN_S)]
    assert not any(answer.HasField("error") for answer in answers)
    assert len(log.outcomes) == 20


@pytest.mark.usefixtures("log")
async def test_one_stream_too_many_is_refused(whole: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_STREAMS", 1)
    first = whole.stub.StreamOutcomes(timeout=WITHIN_S)
    await first.write(report())
    await first.read()
    with pytest.raises(grpc.aio.AioRpcError, match="1 streams of outcomes are open"):
        await whole.stub.StreamOutcomes(iter([report()]), timeout=WITHIN_S).read()
    await first.done_writing()
    assert await first.read() is grpc.aio.EOF
    assert [one async for one in whole.stub.StreamOutcomes(iter([report()]), timeout=WITHIN_S)]


@pytest.mark.usefixtures("log")
async def test_drain_ends_an_idle_stream_with_status_ok(whole: Backend) -> None:
    call = whole.stub.StreamOutcomes(timeout=WITHIN_S)
    await call.write(report())
    assert (await call.read()).outcome_id == "o1"
    whole.service.drain()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


@pytest.mark.usefixtures("log")
async def test_client_that_leaves_its_stream_frees_the_place(whole: Backend) -> None:
    call = whole.stub.StreamOutcomes(timeout=WITHIN_S)
    await call.write(report())
    await call.read()
    streams = whole.service._outcomes._streams
    assert len(streams) == 1
    call.cancel()
    await until(lambda: not streams)
    await asyncio.sleep(0)
