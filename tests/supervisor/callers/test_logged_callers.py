"""The caller in the decision log: of answers and of outcomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.wire import offers_pb2 as wire
from tests.supervisor.backend import ask
from tests.supervisor.callers.fake_call import LOBBY
from tests.supervisor.callers.secured import secured
from tests.supervisor.decisions.test_logged_answers import new_logs, opened
from tests.supervisor.outcomes.test_logged_outcomes import outcomes_of
from tests.supervisor.outcomes.test_outcome_calls import WITHIN_S, report

CALLERS = f'{{lobby: {{names: ["{LOBBY}"]}}, anyone: true}}'


@pytest.mark.parametrize(
    ("exclude", "logged"), [("[]", ["anyone", "lobby", "lobby"]), ("[caller]", [None, None, None])]
)
async def test_answers_and_outcomes_are_logged_with_their_caller(
    tmp_path: Path, exclude: str, logged: list[str | None]
) -> None:
    decisions = f"{{to: log, flush_s: 1, exclude: {exclude}}}"
    async with secured(tmp_path, CALLERS, logs=new_logs(), decisions=decisions) as mesh:
        lobby, stranger = await mesh.stub(LOBBY), await mesh.stub("stranger.studio.example")
        for stub in (lobby, stranger):
            answer = await stub.GetOffer(ask(), timeout=WITHIN_S)
            fields = {"decision_id": answer.decision_id, "outcome_id": f"o{stub is lobby}"}
            await stub.ReportOutcome(report(**fields), timeout=WITHIN_S)
        await lobby.Score(wire.ScoreRequest(game="g", player_id="p1"), timeout=WITHIN_S)
    with opened(tmp_path) as log:
        rows = log.read(log.decisions("g")).to_pylist()
    assert sorted(row["caller"] for row in rows) == logged if logged[0] else [row["caller"] for row in rows] == logged
    outcomes = outcomes_of(tmp_path)
    assert [outcomes[name]["caller"] for name in ("oFalse", "oTrue")] == logged[:2]
