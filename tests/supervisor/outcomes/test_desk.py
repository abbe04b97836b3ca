"""The desk takes each outcome once and counts the reports that it does not take."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mesh.errors import MeshError, NotFound, NotSupported, Overloaded, WrongRequest
from mesh.wire import offers_pb2 as wire
from supervisor.outcomes.desk import OutcomeDesk, OutcomeLog
from supervisor.outcomes.metrics import OutcomeMetrics
from supervisor.outcomes.outcome import Outcome
from supervisor.outcomes.recent_ids import RecentIds
from tests.supervisor.outcomes.test_outcome import NOW_MS, report


@dataclass
class FakeLog:
    """A log that keeps its outcomes, while it has room."""

    outcomes: list[Outcome] = field(default_factory=list)
    has_room: bool = True

    def record_outcome(self, outcome: Outcome) -> bool:
        if self.has_room:
            self.outcomes.append(outcome)
        return self.has_room


@dataclass
class FakeGame:
    """A game whose log has the columns of `exclude` left out."""

    outcome_log: OutcomeLog | None
    exclude: tuple[str, ...] = ()
    callers: None = None

    @property
    def catalog(self) -> Any:
        return SimpleNamespace(decisions=SimpleNamespace(exclude=self.exclude) if self.outcome_log else None)


class Desk:
    """A desk for game g, which has a log, and for game h, which has none."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.log = FakeLog()
        games = {"g": FakeGame(self.log), "h": FakeGame(None), "i": FakeGame(self.log, ("request_id",))}
        self.desk = OutcomeDesk(games, OutcomeMetrics(self.registry), lambda: NOW_MS / 1000)

    def take(self, **fields: object) -> wire.ReportOutcomeResponse:
        return self.desk.take(report(**fields))

    def count(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def test_outcome_goes_into_the_log_and_is_counted_by_kind() -> None:
    desk = Desk()
    assert desk.take() == wire.ReportOutcomeResponse(outcome_id="o1")
    desk.take(outcome_id="o2", kind=wire.PURCHASED)
    assert [(one.outcome_id, one.kind) for one in desk.log.outcomes] == [("o1", "shown"), ("o2", "purchased")]
    assert desk.count("mesh_outcomes_total", game="g", kind="shown") == 1
    assert desk.count("mesh_outcomes_total", game="g", kind="purchased") == 1


def test_repeated_report_is_a_duplicate_that_is_logged_once() -> None:
    desk = Desk()
    assert [desk.take().duplicate for _ in range(3)] == [False, True, True]
    assert len(desk.log.outcomes) == 1
    assert desk.count("mesh_outcome_duplicates_total", game="g") == 2


def test_report_that_the_log_refused_is_logged_when_it_is_repeated() -> None:
    desk = Desk()
    desk.log.has_room = False
    with pytest.raises(Overloaded, match="the decision log of g is full; repeat the report"):
        desk.take()
    desk.log.has_room = True
    assert not desk.take().duplicate
    assert len(desk.log.outcomes) == 1


@pytest.mark.parametrize(
    ("fields", "kind", "error", "reason"),
    [
        ({"game": "h"}, NotSupported, "game: the catalog of h has no `decisions` block", "no-log"),
        ({"game": "x"}, NotFound, "game: 'x' is not served here; served: g, h, i", "wrong"),
        ({"game": "i", "decision_id": "", "request_id": "r"}, NotSupported, "request_id: the log of i excl", "no-log"),
        ({"game": ""}, WrongRequest, "game: is empty; set it", "wrong"),
        ({"kind": 0}, WrongRequest, "kind: is 0", "wrong"),
    ],
)
def test_report_that_is_not_taken_is_counted_by_its_reason(
    fields: dict[str, object], kind: type[MeshError], error: str, reason: str
) -> None:
    desk = Desk()
    with pytest.raises(kind, match=f"^{error}"):
        desk.take(**fields)
    assert desk.count("mesh_outcomes_refused_total", reason=reason) == 1
    assert not desk.log.outcomes


def test_recent_ids_remember_at_least_the_last_ones_in_bounded_memory() -> None:
    recent = RecentIds(generation=100)
    for number in range(1000):
        recent.add(str(number))
        assert all(str(one) in recent for one in range(max(0, number - 99), number + 1))
        assert sum(str(one) in recent for one in range(number + 1)) <= 200
