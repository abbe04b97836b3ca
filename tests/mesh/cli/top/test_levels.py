"""From which value on `mesh top` marks a figure."""

from __future__ import annotations

import pytest

from mesh.cli.top import levels
from mesh.cli.top.grid import Cell, Column, Level, grid
from mesh.cli.top.supervisors import CertificateView

FINE, WARNING, PROBLEM = Level
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("reasons", "level"),
    [
        ({"holdout": 10.0}, FINE),
        ({"unknown-player": 4.0, "holdout": 6.0}, FINE),
        ({"holdout": 9.7, "quorum": 0.3}, WARNING),
        ({"quorum": 10.0}, PROBLEM),
    ],
)
def test_expected_fallbacks_are_fine(reasons: dict[str, float], level: Level) -> None:
    assert levels.fallbacks(10.0, reasons, 100.0) == level
    assert levels.fallbacks(0.0, {}, 0.0) == FINE


@pytest.mark.parametrize(
    ("days", "lifetime_days", "level"),
    [(8, 90, FINE), (6, 90, WARNING), (0.5, 90, PROBLEM), (-1, 90, PROBLEM), (0.5, 1, FINE), (0.1, 1, WARNING)],
)
def test_certificate_is_marked_as_the_alerts_mark_it(days: float, lifetime_days: float, level: Level) -> None:
    assert levels.certificate(CertificateView("own", days * DAY_S, lifetime_days * DAY_S)) == level


def test_bounds_are_exclusive() -> None:
    assert [levels.starved(share) for share in (None, 0.2, 0.3, 0.5)] == [FINE, FINE, WARNING, PROBLEM]
    assert [levels.misses(share) for share in (0.0, 0.05, 0.2)] == [FINE, WARNING, PROBLEM]
    assert [levels.drift(severity, is_loaded=True) for severity in (None, 0.5, 0.8, 1.0)] == [
        *(FINE, FINE, WARNING, PROBLEM)
    ]
    assert levels.drift(None, is_loaded=False) == WARNING


def test_column_that_has_no_room_leaves_its_room_to_a_smaller_one() -> None:
    columns = (Column("name"), Column("long", 1), Column("short", 2))
    row = [Cell("whales"), Cell("x" * 50), Cell("y")]
    found = grid(columns, [row], 20)
    assert [line.plain for line in found.lines] == ["  name    short", "  whales  y"]
    assert found.hidden == ["long"]
