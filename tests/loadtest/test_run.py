from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from loadtest.errors import CannotMeasure, ungrouped
from loadtest.generators.arrivals import constant, read_trace
from loadtest.reference.oracle import Oracle
from loadtest.run import page, report
from loadtest.run.answers import CLASSES, Answer, class_of
from loadtest.run.check import wrong_ones
from loadtest.run.job import Question
from loadtest.run.knee import Step, find_knee, is_generators, knee_of
from loadtest.run.measurement import Setting, jobs_of
from loadtest.run.summary import Generator, Summary, last_shares, summarise, tail_of

ANSWER = Answer("p1", 1.0, 1.001, 1.02, "OK", "ENSEMBLE", stages_ms=(1.0, 1.0, 9.0, 0.1, 11.0), last_model="whales")
ALONE = Generator(1, 0.1, "ordinary")


def test_constant_arrivals_are_equally_far_apart() -> None:
    assert constant(4.0, 1.0).tolist() == [0.0, 0.25, 0.5, 0.75]


def test_a_trace_begins_at_zero_and_may_have_a_header_comments_and_columns(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time,player\n# evening\n10.5,a\n\n11,b\n11,c\n")
    assert read_trace(tmp_path / "trace.csv").tolist() == [0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("1\nx\n", r"trace\.csv:2: 'x' is no number"), ("2\n1\n", ":2: 1 comes before 2"), ("# none\n", "no timestamps")],
)
def test_a_bad_trace_names_the_line(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text(text)
    with pytest.raises(CannotMeasure, match=complaint):
        read_trace(tmp_path / "trace.csv")


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="nothing"):
        read_trace(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("answer", "is_wrong", "expected"),
    [
        (ANSWER, False, "full"),
        (replace(ANSWER, source="PARTIAL"), False, "partial"),
        (replace(ANSWER, source="FALLBACK", reason="quorum"), False, "fallback"),
        (replace(ANSWER, source="FALLBACK", reason="overloaded"), False, "refused"),
        (replace(ANSWER, code="UNAVAILABLE", source=""), False, "refused"),
        (replace(ANSWER, code="DEADLINE_EXCEEDED", source=""), False, "late"),
        (replace(ANSWER, sent_s=1.4, answered_s=1.41), False, "late"),
        (replace(ANSWER, code="INTERNAL", source=""), False, "error"),
        (replace(ANSWER, sent_s=1.4, answered_s=1.41), True, "wrong"),
        (replace(ANSWER, code="UNSENT", source=""), False, "unsent"),
    ],
)
def test_every_request_is_in_one_class(answer: Answer, is_wrong: bool, expected: str) -> None:
    assert class_of(answer, 300.0, is_wrong) == expected


def test_a_knee_that_the_generator_bounds_is_told_from_the_meshs() -> None:
    held, limited = Step(100.0, 20.0, 1.0, True), Step(200.0, 20.0, 1.0, False, is_limit=True)
    broken = Step(150.0, 90.0, 1.0, False)
    assert is_generators([held, limited])
    assert not is_generators([held, limited, broken])
    assert not is_generators([held])


async def test_what_cannot_be_measured_comes_out_of_its_group() -> None:
    async def fail() -> None:
        raise CannotMeasure("a sender ended")

    with pytest.raises(CannotMeasure, match="a sender ended"), ungrouped():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())


async def test_a_bug_stays_in_its_group() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup), ungrouped():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())


class Opinion:
    """An oracle of fixed scores, best first as they stand."""

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
def test_a_wrong_score_and_a_wrong_best_offer_are_wrong(
    shown: list[tuple[str, float]], is_ranked: bool, is_wrong: bool
) -> None:
    answer = replace(ANSWER, scores=tuple(shown))
    told = wrong_ones([answer], cast(Oracle, Opinion()), is_ranked, lambda _: None)
    assert told == ({0} if is_wrong else set())


def summary_of(answers: list[Answer]) -> Summary:
    return summarise(answers, [class_of(answer, 300.0, False) for answer in answers], 10.0, ALONE)


def some_answers() -> list[Answer]:
    def answer(number: int) -> Answer:
        due_s, slow = number / 100, number % 100 == 0
        latency_s, model = (0.2, "whales") if slow else (0.01, "minnows" if number % 2 else "loners")
        return replace(ANSWER, due_s=due_s, sent_s=due_s + 0.0002, answered_s=due_s + latency_s, last_model=model)

    return [answer(number) for number in range(1000)]


def test_latency_counts_from_the_schedule_and_the_send_beside_it() -> None:
    summary = summary_of(some_answers())
    assert summary.latencies.from_schedule[0] == pytest.approx(10.0)
    assert summary.latencies.from_send[0] == pytest.approx(9.8)
    assert summary.slip_p99_ms == pytest.approx(0.2)


def test_the_tail_belongs_to_the_model_that_was_last_in_the_slowest_hundredth() -> None:
    answers = some_answers()
    assert last_shares(tail_of(answers)) == {"whales": 1.0}
    assert last_shares(answers) == {"minnows": 0.5, "loners": 0.49, "whales": 0.01}


def test_every_second_tells_what_was_due_in_it() -> None:
    series = summary_of(some_answers()).series
    assert [(second.second, second.classes["full"]) for second in series] == [(second, 100) for second in range(10)]


def test_a_quiet_generator_leaves_no_doubt() -> None:
    assert list(report.doubts(summary_of(some_answers()))) == []


def test_a_generator_that_was_the_limit_says_so() -> None:
    late = [replace(answer, sent_s=answer.due_s * 2 + 0.01) for answer in some_answers()]
    summary = replace(summary_of(late), generator=Generator(1, 0.95, "ordinary"))
    doubts = "\n".join(report.doubts(summary))
    assert all(words in doubts for words in ("ms late", "used 95% of a core", "instead of 100"))
    unsent = summary_of([replace(ANSWER, code="UNSENT"), ANSWER])
    assert "1 requests were not sent" in "\n".join(report.doubts(unsent))


def test_the_document_has_every_class_and_both_ways_to_count() -> None:
    told = report.document(summary_of(some_answers()))
    assert list(told["classes"]) == list(CLASSES)
    assert set(told["latency_ms"]) == set(told["latency_from_send_ms"]) == {"p50", "p90", "p95", "p99", "p99.9", "max"}
    assert told["last_model_of_slowest_1_percent"] == {"whales": 1.0}


def test_the_page_is_one_file_with_every_panel() -> None:
    steps = [Step(100.0, 20.0, 1.0, True), Step(200.0, 90.0, 1.0, False)]
    text = page.render("GetOffer <for> dragonfall", summary_of(some_answers()), steps)
    assert all(panel in text for panel in page.PANELS)
    assert "&lt;for&gt;" in text
    assert "Looking for the knee" in text
    assert "<script src=" not in text


@pytest.mark.parametrize("first_rps", [1.0, 10.0, 100.0, 300.0, 5000.0])
def test_the_knee_is_found_within_five_percent(first_rps: float) -> None:
    steps = find_knee(first_rps, lambda rate: Step(rate, rate, 1.0, is_held=rate <= 237.0))
    knee = knee_of(steps)
    assert knee is not None
    assert 237.0 / 1.05 <= knee <= 237.0
    assert len(steps) <= 20


def test_a_promise_that_no_rate_keeps_has_no_knee() -> None:
    steps = find_knee(100.0, lambda rate: Step(rate, 99.0, 0.0, is_held=False))
    assert knee_of(steps) is None
    assert len(steps) <= 13


def test_a_rate_held_by_luck_above_a_broken_one_does_not_count() -> None:
    steps = [Step(100, 1, 1, True), Step(200, 99, 1, False), Step(400, 1, 1, True)]
    assert knee_of(steps) == 100


def test_the_schedule_is_dealt_out_to_the_processes_and_nothing_is_lost() -> None:
    question = Question("127.0.0.1:1", "Score", "game", "", 300.0, {}, ["a", "b", "c"])
    offsets_s = np.arange(10) / 10
    jobs = jobs_of(Setting(question, 3, 90, 1, None), offsets_s, 5.0, Path("/nowhere"))
    assert sorted(offset for job in jobs for offset in job.offsets_s) == offsets_s.tolist()
    assert {job.max_unanswered for job in jobs} == {30}
    assert len({job.answers for job in jobs}) == 3
