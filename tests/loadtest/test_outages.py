"""The verdict on an outage tells lies from truths; and a real mesh goes through outages without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.measurement.plan import Plan
from loadtest.outages import command
from loadtest.outages.client import Heard
from loadtest.outages.command import faults_of, try_all
from loadtest.outages.kinds import WAYS
from loadtest.outages.verdict import Outage, Verdict, verdict_of

SCORES = {"p": (0.25, 0.75)}
FRESH = Heard("p", sent_s=10.0, took_s=0.01, source="ENSEMBLE", reason="", score=0.75, age_ms=5, error="")
STALE = replace(FRESH, reason="stale-features", score=0.25)
FALLBACK = replace(FRESH, source="FALLBACK", reason="features", score=None, age_ms=None)


def verdict(*heard: Heard) -> Verdict:
    outage = Outage(heard, changed_s=0.0, ended_s=30.0, fresh_within_s=0.5, requests=10, requests_before=20)
    return verdict_of(outage, SCORES)


def test_answers_are_counted_by_what_they_were_made_of() -> None:
    found = verdict(FRESH, STALE, STALE, FALLBACK, replace(FALLBACK, source="", reason="", error="UNAVAILABLE"))
    assert (found.answers, found.fresh, found.stale, found.fallback) == (5, 1, 2, 1)
    assert (found.errors, found.untrue, found.requests_share) == ({"UNAVAILABLE": 1}, [], 0.5)


@pytest.mark.parametrize(
    "lie",
    [
        replace(FRESH, score=0.25),  # made of old features, and not flagged
        replace(FRESH, score=0.5),
        replace(FRESH, score=None),
        replace(STALE, score=0.5),
        replace(FALLBACK, score=0.75),
        replace(FRESH, source="PARTIAL", reason="missing-models"),
        replace(FRESH, reason="unknown-player"),
    ],
)
def test_an_answer_that_is_not_what_it_says_is_untrue(lie: Heard) -> None:
    assert len(verdict(lie).untrue) == 1


def test_what_was_read_just_before_the_change_is_no_lie() -> None:
    assert verdict(replace(FRESH, score=0.25, sent_s=0.4)).untrue == []


def test_recovery_is_until_the_last_answer_that_was_not_fresh() -> None:
    found = verdict(replace(STALE, sent_s=31.5), replace(FRESH, sent_s=33.0))
    assert found.recovery_s == 1.5


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"errors": {"INTERNAL": 1}}, "errors"),
        ({"late": 1}, "after their deadline"),
        ({"recovery_s": 2.1}, "2.1 s after the end"),
        ({"requests_share": 1.2}, "1.20 times the normal requests"),
        ({"untrue": ["p lies"]}, "untrue: p lies"),
    ],
)
def test_what_is_not_as_it_should_be_is_told(changed: dict[str, object], told: str) -> None:
    assert faults_of(verdict(FRESH), throttled=True) == []
    (fault,) = faults_of(replace(verdict(FRESH), **changed), throttled=True)  # type: ignore[arg-type]
    assert told in fault


async def test_a_real_mesh_goes_through_outages_without_an_error_or_a_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "NORMAL_S", 1.0)
    faults: list[str] = []
    plan = Plan(1, None, tmp_path, lambda _: None, faults.append, faults.append)
    plan.logs.mkdir()
    ways = {name: WAYS[name] for name in ("throttled", "30 % unprocessed", "stalled", "away")}

    verdicts = await try_all(ways, plan, 2.0)

    assert {name: (one.errors, one.untrue) for name, one in verdicts.items()} == dict.fromkeys(ways, ({}, []))
    assert verdicts["30 % unprocessed"].fresh == verdicts["30 % unprocessed"].answers
    for name in ("throttled", "stalled", "away"):
        assert verdicts[name].stale > 0
        assert verdicts[name].fallback > 0
    assert verdicts["throttled"].requests_share <= command.MAX_REQUESTS_SHARE
