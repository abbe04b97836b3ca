"""The verdict on each change: which state each answer was made by, and the seconds until the new one was in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from loadtest.run.answers import Answer, class_of
from loadtest.run.check import is_right
from loadtest.versions.game import ENSEMBLE, Expected, State
from loadtest.versions.steps import Step

CONTROL = "no change (control)"
COUNTED = ("error", "wrong", "late", "fallback", "refused", "unsent")


@dataclass(frozen=True, slots=True)
class Changed:
    """A step, and the second of the run at which its change began; None for the time before the first change."""

    step: Step | None
    at_s: float
    before: State
    after: State


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answers after a change and before the next one.

    `first_s` and `last_s` are the seconds from the change until the first answer that only the new state explains, and
    until the last one that only the old state explains; None if there is none.
    """

    name: str
    answers: int
    classes: dict[str, int]
    first_s: float | None
    last_s: float | None


def verdicts(answers: Sequence[Answer], changes: Sequence[Changed], expected: Expected) -> Iterator[Verdict]:
    """Yields a verdict for each change; an answer belongs to the last change before it was answered."""
    ends_s = [change.at_s for change in changes[1:]] + [float("inf")]
    for change, end_s in zip(changes, ends_s, strict=True):
        yield _verdict(change, [one for one in answers if change.at_s <= one.answered_s < end_s], expected)


def faults_of(verdict: Verdict, control: Verdict, is_refused: bool) -> Iterator[str]:
    """Yields a line for each requirement that a change misses."""
    for kind in COUNTED:
        beyond = verdict.classes.get(kind, 0) - (control.classes.get(kind, 0) if kind == "fallback" else 0)
        if beyond > 0:
            yield f"{beyond} {kind}"
    if verdict.name != control.name and not is_refused and verdict.first_s is None:
        yield "never in force"


def _verdict(change: Changed, answers: Sequence[Answer], expected: Expected) -> Verdict:
    states = (change.before,) if change.before == change.after else (change.before, change.after)
    classes: Counter[str] = Counter()
    new_s: list[float] = []
    old_s: list[float] = []
    for answer in answers:
        fits = [_fits(answer, state, expected) for state in states] if answer.scores else []
        is_scored = answer.code == "OK" and answer.source in ("ENSEMBLE", "PARTIAL")
        classes[class_of(answer, ENSEMBLE.budget_ms, is_wrong=is_scored and not any(fits))] += 1
        if is_scored and len(states) == 2 and fits[0] != fits[1]:
            (new_s if fits[1] else old_s).append(answer.answered_s - change.at_s)
    name = change.step.name if change.step else CONTROL
    return Verdict(name, len(answers), dict(classes), min(new_s, default=None), max(old_s, default=None))


def _fits(answer: Answer, state: State, expected: Expected) -> bool:
    """Whether `state` explains the answer: its version, its model files and its offers."""
    if answer.version != expected.version_of(state, answer.player_id):
        return False
    return is_right(
        replace(answer, version=state.variant(answer.version)), expected.oracle(state.table), is_ranked=True
    )
