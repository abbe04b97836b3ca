"""Outcomes of a real supervisor in the files of its log."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from mesh.wire import offers_pb2 as wire
from tests.supervisor.backend import backend
from tests.supervisor.decisions.test_logged_answers import new_logs, opened
from tests.supervisor.outcomes.test_outcome_calls import WITHIN_S, report

Rows = dict[str, dict[str, Any]]


def outcomes_of(folder: Path) -> Rows:
    """The logged outcomes by their id; the reader counts equal ids once, so the files are read without it."""
    with opened(folder) as log:
        files = sorted(str(path) for path in (folder / "log" / "outcomes").glob("**/*.parquet"))
        rows = log._connection.sql(f"FROM read_parquet({files!r})").to_arrow_table().to_pylist()
    assert len({row["outcome_id"] for row in rows}) == len(rows)
    return {row["outcome_id"]: row for row in rows}


async def test_reported_outcomes_are_in_the_files_once_and_belong_to_their_decisions(tmp_path: Path) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log, flush_s: 1}") as running:
        answer = await running.offer(request_id="r1")
        decision = answer.decision_id
        fields = {"kind": wire.PURCHASED, "value": 4.99, "currency": "USD", "offer_id": "gold"}
        purchase = report(outcome_id="t1", decision_id=decision, **fields)
        for _ in range(2):
            await running.stub.ReportOutcome(purchase, timeout=WITHIN_S)
        clicked = report(outcome_id="c1", decision_id="", request_id="r1", kind=wire.CLICKED)
        on_stream = [report(outcome_id=f"s{number}", decision_id=decision) for number in range(300)]
        stream = running.stub.StreamOutcomes(iter([clicked, purchase, *on_stream]), timeout=WITHIN_S)
        assert [one.duplicate async for one in stream] == [False, True, *[False] * 300]
    rows = outcomes_of(tmp_path)
    assert len(rows) == 302
    assert {name: rows["t1"][name] for name in ("decision_id", "kind", "offer", "value", "currency", "request_id")} == {
        "decision_id": decision,
        "kind": "purchased",
        "offer": "gold",
        "value": 4.99,
        "currency": "USD",
        "request_id": None,
    }
    assert (rows["c1"]["decision_id"], rows["c1"]["request_id"], rows["c1"]["kind"]) == (None, "r1", "clicked")
    with opened(tmp_path) as log:
        joined = log.read(log.outcomes_of_decisions("g")).to_pylist()
    assert {row["decision_id"] for row in joined} == {decision}
    assert len(joined) == 302


async def test_log_without_request_ids_refuses_reports_that_name_a_request(tmp_path: Path) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log, exclude: [request_id]}") as running:
        with pytest.raises(grpc.aio.AioRpcError, match="excludes request ids; set decision_id instead"):
            await running.stub.ReportOutcome(report(decision_id="", request_id="r1"), timeout=WITHIN_S)


async def test_flood_of_reports_leaves_the_offers_whole(tmp_path: Path) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log, flush_s: 1}") as running:
        number = 0
        stop = asyncio.Event()
        codes: set[grpc.StatusCode] = set()

        async def flood() -> None:
            nonlocal number
            while not stop.is_set():
                number += 1
                try:
                    await running.stub.ReportOutcome(report(outcome_id=f"f{number}"), timeout=WITHIN_S)
                except grpc.aio.AioRpcError as error:
                    codes.add(error.code())

        async with asyncio.TaskGroup() as tasks:
            for _ in range(100):
                tasks.create_task(flood())
            answers = [await running.offer(player_id=f"p{one % 3 + 1}") for one in range(200)]
            stop.set()
    assert {answer.source for answer in answers} == {wire.ENSEMBLE}
    assert codes <= {grpc.StatusCode.RESOURCE_EXHAUSTED}
    taken = running.metrics.registry.get_sample_value("mesh_outcomes_total", {"game": "g", "kind": "shown"})
    assert len(outcomes_of(tmp_path)) == taken
