"""The verdict on changes of a catalog finds wrong answers, and a real mesh gives none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest.measurement.plan import Plan
from loadtest.run.answers import Answer
from loadtest.versions.game import State
from loadtest.versions.steps import Step, steps
from loadtest.versions.trial import try_steps
from loadtest.versions.verdict import Changed, Verdict, faults_of, verdicts

OLD, NEW = State({"v1": 100}), State({"v1": 0, "v2": 100})
CHANGES = [Changed(None, 0.0, OLD, OLD), Changed(Step("to v2", NEW, lambda _: None), 10.0, OLD, NEW)]
SCORES = {"v1": 0.25, "v2": 0.75}


class FixedScores:
    """Every player has the version with traffic, and each version gives all players one score."""

    def version_of(self, state: State, _: str) -> str:
        return max(state.traffic, key=lambda name: state.traffic[name])

    def oracle(self, _: str) -> Any:
        return self

    def scores(self, version: str, _missing: object, _player: str) -> dict[str, float]:
        return {"o": SCORES[version]}

    def ranking(self, scores: dict[str, float]) -> list[str]:
        return list(scores)


def answer(version: str, at_s: float, score: float | None = None, **fields: Any) -> Answer:
    found = SCORES[version] if score is None else score
    return Answer("p", at_s, at_s, at_s, "OK", "ENSEMBLE", version=version, scores=(("o", found),), **fields)


def found(*answers: Answer) -> list[Verdict]:
    expected: Any = FixedScores()
    return list(verdicts(answers, CHANGES, expected))


def test_seconds_until_a_change_is_in_force_are_those_of_the_first_new_and_the_last_old_answer() -> None:
    control, change = found(answer("v1", 1.0), answer("v1", 10.2), answer("v2", 10.3), answer("v1", 10.4))
    assert (control.answers, control.classes) == (1, {"full": 1})
    assert change.classes == {"full": 3}
    assert change.first_s == pytest.approx(0.3)
    assert change.last_s == pytest.approx(0.4)
    assert list(faults_of(change, control, is_refused=False)) == []


def test_new_answer_before_its_change_and_a_mixture_are_wrong() -> None:
    control, change = found(answer("v2", 9.0), answer("v2", 11.0, SCORES["v1"]), answer("v2", 12.0, 0.5))
    assert control.classes == {"wrong": 1}
    assert change.classes == {"wrong": 2}
    assert list(faults_of(change, control, is_refused=True)) == ["2 wrong"]


def test_change_that_is_never_in_force_is_a_fault() -> None:
    control, change = found(answer("v1", 1.0), answer("v1", 11.0))
    assert list(faults_of(change, control, is_refused=False)) == ["never in force"]


@pytest.mark.whole_machine
async def test_changes_under_load_give_no_error_and_no_wrong_answer(tmp_path: Path) -> None:
    faults: list[str] = []
    plan = Plan(1, None, tmp_path, lambda _: None, faults.append, faults.append)
    plan.logs.mkdir()
    every = steps()
    some = (every[0], every[5], every[8], every[9])

    verdict = await try_steps(some, plan, rate_rps=40, seconds=30)

    assert [one.name for one in verdict[1:]] == [step.name for step in some]
    for one, is_refused in zip(verdict, (False, *(step.is_refused for step in some)), strict=True):
        assert list(faults_of(replace(one, classes={**one.classes, "late": 0}), verdict[0], is_refused)) == []
