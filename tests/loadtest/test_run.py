from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from rich.console import Console

from loadtest.run import page, report
from loadtest.run.answers import CLASSES, Answer, class_of
from loadtest.run.check import check_answers
from loadtest.run.job import Question
from loadtest.run.knee import Step, find_knee, generator_is_limit, knee_of, machine_is_starved
from loadtest.run.measurement import Setting, jobs_of
from loadtest.run.summary import Generator, Summary, last_shares, summarise, tail_of
from mesh.reference.oracle import Oracle

pytestmark = pytest.mark.whole_machine  # real time limits

ANSWER = Answer("p1", 1.0, 1.001, 1.02, "OK", "ENSEMBLE", stages_ms=(1.0, 1.0, 9.0, 0.1, 11.0), last_model="whales")
ALONE = Generator(1, 0.1, "ordinary")


@pytest.mark.parametrize(
    ("answer", "is_wrong", "expected"),
    [
        (ANSWER, False, "full"),
        (replace(ANSWER, source="PARTIAL"), False, "partial"),
        (replace(ANSWER, source="FALLBACK", reason="quorum"), False, "fallback"),
        (replace(ANSWER, source="FALLBACK", reason="overloaded"), False, "refused"),
        (replace(ANSWER, source="FALLBACK", reason="holdout"), False, "full"),
        (replace(ANSWER, code="UNAVAILABLE", source=""), False, "refused"),
        (replace(ANSWER, code="CANCELLED", source=""), False, "refused"),
        (replace(ANSWER, code="DEADLINE_EXCEEDED", source=""), False, "late"),
        (replace(ANSWER, sent_s=1.4, answered_s=1.41), False, "late"),
        (replace(ANSWER, code="INTERNAL", source=""), False, "error"),
        (replace(ANSWER, sent_s=1.4, answered_s=1.41), True, "wrong"),
        (replace(ANSWER, code="UNSENT", source=""), False, "unsent"),
    ],
)
def test_each_request_has_one_class(answer: Answer, is_wrong: bool, expected: str) -> None:
    assert class_of(answer, 300.0, is_wrong) == expected


def test_knee_of_the_generator_is_distinguished_from_that_of_the_mesh() -> None:
    held, limited = Step(100.0, 20.0, 1.0, True), Step(200.0, 20.0, 1.0, False, is_limit=True)
    missed = Step(150.0, 90.0, 1.0, False)
    assert generator_is_limit([held, limited])
    assert not generator_is_limit([held, limited, missed])
    assert not generator_is_limit([held])


class FixedOracle:
    """An oracle with fixed scores, in the order of the ranking."""

    def scores(self, *_: object) -> dict[str, float]:
        return {"egg": 0.9, "chest": 0.5, "pack": 0.1}

    def ranking(self, scores: dict[str, float]) -> list[str]:
        return list(scores)


@pytest.mark.parametrize(
    ("shown", "is_ranked", "is_wrong"),
    [
        ([("egg", 0.9)], True, False),
        ([("egg", 0.9), ("chest", 0.5)], True, False),
        ([("chest", 0.5)], True, True),
        ([("chest", 0.5)], False, False),
        ([("egg", 0.90001)], True, True),
        ([("dragon", 0.9)], False, True),
        ([], True, True),
    ],
)
def test_wrong_score_and_wrong_best_offer_are_found(
    shown: list[tuple[str, float]], is_ranked: bool, is_wrong: bool
) -> None:
    answer = replace(ANSWER, scores=tuple(shown))
    found = check_answers([answer], cast(Oracle, FixedOracle()), is_ranked, lambda _: None)
    assert found.wrong == ({0} if is_wrong else set())


@pytest.mark.parametrize(
    ("shown", "is_wrong"),
    [
        ([("chest", 0.5)], False),
        ([("pack", 0.1), ("egg", 0.9), ("chest", 0.5)], False),
        ([("pack", 0.1), ("chest", 0.5), ("egg", 0.9)], True),
        ([("pack", 0.2)], True),
    ],
)
def test_explored_answer_may_begin_with_any_offer(shown: list[tuple[str, float]], is_wrong: bool) -> None:
    answer = replace(ANSWER, scores=tuple(shown), is_explored=True)
    found = check_answers([answer], cast(Oracle, FixedOracle()), True, lambda _: None)
    assert found.wrong == ({0} if is_wrong else set())


def test_check_gives_the_reason_of_every_answer_that_it_does_not_compare() -> None:
    answers = [
        replace(ANSWER, scores=(("egg", 0.9),)),
        replace(ANSWER, source="FALLBACK", reason="quorum"),
        replace(ANSWER, source="FALLBACK", reason="quorum"),
        replace(ANSWER, reason="stale-features", scores=(("egg", 0.1),)),
        replace(ANSWER, code="UNSENT", source=""),
        replace(ANSWER, code="DEADLINE_EXCEEDED", source=""),
    ]
    verdict = check_answers(answers, cast(Oracle, FixedOracle()), True, lambda _: None)
    assert verdict.lines() == [
        "Compared 1 of 6 answers with LightGBM: 0 are wrong.",
        "Not compared: 2 fallbacks have no scores (reason: quorum).",
        "Not compared: 1 answers have scores of other features than the store (reason: stale-features).",
        "Not compared: 1 requests were not sent.",
        "Not compared: 1 requests ended with DEADLINE_EXCEEDED.",
    ]
    document = report.document(replace(summary_of(some_answers()), verdict=verdict))
    assert document["check"]["compared"] == 1
    assert sum(document["check"]["not_compared"].values()) == 5


def test_answers_for_unknown_players_are_counted_and_named() -> None:
    summary = summary_of([ANSWER, replace(ANSWER, player_id="ghost", is_unknown=True)])
    assert report.document(summary)["unknown_players"] == 1
    assert report.unknown_players(summary).startswith(
        "1 answers (50%) are for players that the store does not have, such as ghost"
    )


def summary_of(answers: list[Answer]) -> Summary:
    return summarise(answers, [class_of(answer, 300.0, False) for answer in answers], 10.0, ALONE)


def some_answers(count: int = 1000) -> list[Answer]:
    def answer(number: int) -> Answer:
        due_s, slow = number / 100, number % 100 == 0
        latency_s, model = (0.2, "whales") if slow else (0.01, "minnows" if number % 2 else "loners")
        return replace(ANSWER, due_s=due_s, sent_s=due_s + 0.0002, answered_s=due_s + latency_s, last_model=model)

    return [answer(number) for number in range(count)]


def test_latency_is_counted_from_the_schedule_and_from_the_send() -> None:
    summary = summary_of(some_answers())
    assert summary.latencies.from_schedule[0] == pytest.approx(10.0)
    assert summary.latencies.from_send[0] == pytest.approx(9.8)
    assert summary.slip_p99_ms == pytest.approx(0.2)


def test_tail_has_the_models_that_were_last_in_the_slowest_hundredth() -> None:
    answers = some_answers()
    assert last_shares(tail_of(answers)) == {"whales": 1.0}
    assert last_shares(answers) == {"minnows": 0.5, "loners": 0.49, "whales": 0.01}


def test_series_counts_the_requests_due_in_each_second() -> None:
    series = summary_of(some_answers()).series
    assert [(second.second, second.classes["full"]) for second in series] == [(second, 100) for second in range(10)]


def test_fast_generator_causes_no_doubts() -> None:
    assert list(report.doubts(summary_of(some_answers()))) == []


def test_generator_that_was_the_limit_causes_doubts() -> None:
    late = [replace(answer, sent_s=answer.due_s * 2 + 0.01) for answer in some_answers()]
    summary = replace(summary_of(late), generator=Generator(1, 0.95, "ordinary"))
    doubts = "\n".join(report.doubts(summary))
    assert all(words in doubts for words in ("ms late", "used 95% of a core", "instead of 100"))
    unsent = summary_of([replace(ANSWER, code="UNSENT"), ANSWER])
    assert "1 requests were not sent" in "\n".join(report.doubts(unsent))


def test_models_of_the_tail_need_twenty_slow_answers() -> None:
    assert summary_of(some_answers(1900)).tail == {}
    assert summary_of(some_answers(2000)).tail == {"whales": 1.0}
    with StringIO() as printed:
        report.print_run(Console(file=printed), summary_of(some_answers(1900)))
        assert "Fewer than 2,000 answers" in printed.getvalue()
        assert "was last in" not in printed.getvalue()


def test_document_has_every_class_and_both_latencies() -> None:
    document = report.document(summary_of(some_answers(2000)))
    assert list(document["classes"]) == list(CLASSES)
    assert (
        set(document["latency_ms"])
        == set(document["latency_from_send_ms"])
        == {"p50", "p90", "p95", "p99", "p99.9", "max"}
    )
    assert document["last_model_of_slowest_1_percent"] == {"whales": 1.0}


STEPS = [Step(100.0, 20.0, 1.0, True), Step(200.0, 90.0, 1.0, False)]


def page_of(answers: list[Answer], steps: Sequence[Step] = ()) -> str:
    return page.render("GetOffer <for> dragonfall", summary_of(answers), 50.0, {"Address": "127.0.0.1:7000"}, steps)


def test_page_is_one_file_with_every_panel() -> None:
    text = page_of(some_answers(), STEPS)
    assert all(panel in text for panel in page.PANELS)
    assert "<h1>GetOffer &lt;for&gt; dragonfall: knee at 100 requests per second for a p99 of 50 ms</h1>" in text
    assert "<dd>127.0.0.1:7000</dd>" in text
    assert "Search for the knee" in text
    assert "<script src=" not in text


def test_page_draws_the_objective_and_only_the_classes_that_occurred() -> None:
    text = page_of([replace(answer, source="PARTIAL") for answer in some_answers()])
    assert text.count('"name":"SLO 50 ms"') == 2
    assert '"name":"partial"' in text
    assert '"name":"fallback"' not in text
    assert '"name":"full"' not in text


@pytest.mark.parametrize("first_rps", [1.0, 10.0, 100.0, 300.0, 5000.0])
def test_knee_is_found_within_five_percent(first_rps: float) -> None:
    steps = find_knee(first_rps, lambda rate: Step(rate, rate, 1.0, is_held=rate <= 237.0))
    knee = knee_of(steps)
    assert knee is not None
    assert 237.0 / 1.05 <= knee <= 237.0
    assert len(steps) <= 20


@pytest.mark.parametrize("disturbed", [{3}, {0}, {5}, {3, 6}, {0, 1, 2}, {4, 5, 6}])
def test_disturbed_step_is_tried_again_and_does_not_lower_the_knee(disturbed: set[int]) -> None:
    measured: list[float] = []

    def measure(rate_rps: float) -> Step:
        measured.append(rate_rps)
        return Step(rate_rps, 9.0, 1.0, is_held=rate_rps <= 1237.0 and len(measured) - 1 not in disturbed)

    steps = find_knee(100.0, measure)
    knee = knee_of(steps)
    assert knee is not None
    assert knee >= 1237.0 / 1.05
    assert {step.tries for step in steps if not step.is_held} == {2}


def test_knee_below_a_step_without_cpu_is_starved() -> None:
    held, starved = Step(100.0, 20.0, 1.0, True, others=0.9), Step(200.0, 90.0, 1.0, False, others=0.9)
    assert machine_is_starved([held, starved])
    assert "other programs used the CPU of this machine before 2 of 2 steps" in next(
        report.knee_doubts([held, starved])
    )
    assert not machine_is_starved([held, replace(starved, others=0.05)])
    assert not machine_is_starved([held])


def test_objective_that_no_rate_keeps_has_no_knee() -> None:
    steps = find_knee(100.0, lambda rate: Step(rate, 99.0, 0.0, is_held=False))
    assert knee_of(steps) is None
    assert len(steps) <= 13


def test_held_rate_above_a_missed_rate_does_not_count() -> None:
    steps = [Step(100, 1, 1, True), Step(200, 99, 1, False), Step(400, 1, 1, True)]
    assert knee_of(steps) == 100


def test_schedule_is_distributed_over_the_processes_without_loss() -> None:
    question = Question("127.0.0.1:1", "Score", "game", "", 300.0, {}, ["a", "b", "c"])
    offsets_s = np.arange(10) / 10
    jobs = jobs_of(Setting(question, 3, 90, 1, None), offsets_s, 5.0, Path("/nowhere"))
    assert sorted(offset for job in jobs for offset in job.offsets_s) == offsets_s.tolist()
    assert {job.max_unanswered for job in jobs} == {30}
    assert len({job.answers for job in jobs}) == 3
