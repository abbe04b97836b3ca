"""The verdict finds answers that do not match their flags, and a real mesh gives none during outages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.measurement.plan import Plan
from loadtest.outages.client import Response
from loadtest.outages.kinds import KINDS
from loadtest.outages.trial import Phases, try_all
from loadtest.outages.verdict import MAX_REQUESTS_SHARE, Record, Verdict, faults_of, verdict_of
from loadtest.outages.world import ENSEMBLE

pytestmark = pytest.mark.whole_machine  # real time limits

SCORES = {"p": (0.25, 0.75)}
FRESH = Response("p", sent_s=10.0, took_s=0.01, source="ENSEMBLE", reason="", score=0.75, age_ms=5, error="")
STALE = replace(FRESH, reason="stale-features", score=0.25)
FALLBACK = replace(FRESH, source="FALLBACK", reason="features", score=None, age_ms=None)


def verdict(*responses: Response) -> Verdict:
    record = Record(responses, changed_s=0.0, ended_s=30.0, fresh_within_s=0.5, requests=10, requests_before=20)
    return verdict_of(record, SCORES)


def test_answers_are_counted_by_kind() -> None:
    found = verdict(FRESH, STALE, STALE, FALLBACK, replace(FALLBACK, source="", reason="", error="UNAVAILABLE"))
    assert (found.answers, found.fresh, found.stale, found.fallback) == (5, 1, 2, 1)
    assert (found.errors, found.untrue, found.requests_share) == ({"UNAVAILABLE": 1}, [], 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(FRESH, score=0.25),  # old features without the flag
        replace(FRESH, score=0.5),
        replace(FRESH, score=None),
        replace(STALE, score=0.5),
        replace(FALLBACK, score=0.75),
        replace(FRESH, source="PARTIAL", reason="missing-models"),
        replace(FRESH, reason="unknown-player"),
    ],
)
def test_answer_that_does_not_match_its_flags_is_found(wrong: Response) -> None:
    assert len(verdict(wrong).untrue) == 1


def test_features_read_just_before_the_change_are_fresh() -> None:
    assert verdict(replace(FRESH, score=0.25, sent_s=0.4)).untrue == []


def test_recovery_lasts_until_the_last_answer_that_is_not_fresh() -> None:
    found = verdict(replace(STALE, sent_s=31.5), replace(FRESH, sent_s=33.0))
    assert found.recovery_s == 1.5


@pytest.mark.parametrize(
    ("changed", "reported"),
    [
        ({"errors": {"INTERNAL": 1}}, "errors"),
        ({"late": 1}, "after their deadline"),
        ({"recovery_s": 2.1}, "2.1 s after the end"),
        ({"requests_share": 1.2}, "1.20 times the normal requests"),
        ({"untrue": ["p 0.5"]}, "wrong answer: p 0.5"),
    ],
)
def test_missed_requirement_is_reported(changed: dict[str, object], reported: str) -> None:
    assert faults_of(verdict(FRESH), throttled=True) == []
    (fault,) = faults_of(replace(verdict(FRESH), **changed), throttled=True)  # type: ignore[arg-type]
    assert reported in fault


async def test_real_mesh_gives_no_errors_and_no_wrong_answers_during_outages(tmp_path: Path) -> None:
    faults: list[str] = []
    plan = Plan(1, None, tmp_path, lambda _: None, faults.append, faults.append)
    plan.logs.mkdir()
    kinds = {name: KINDS[name] for name in ("throttled", "30 % unprocessed", "stalled", "away")}
    ensemble = replace(ENSEMBLE, players=40 * len(kinds))  # few, so that the mesh soon has the known ones in its cache

    verdicts = await try_all(kinds, plan, Phases(outage_s=1.0, normal_s=0.8, after_s=0.3), ensemble)

    assert {name: (one.errors, one.untrue) for name, one in verdicts.items()} == dict.fromkeys(kinds, ({}, []))
    assert verdicts["30 % unprocessed"].fresh == verdicts["30 % unprocessed"].answers
    for name in ("throttled", "stalled", "away"):
        assert verdicts[name].stale > 0
        assert verdicts[name].fallback > 0
    assert verdicts["throttled"].requests_share <= MAX_REQUESTS_SHARE
