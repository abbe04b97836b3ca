from __future__ import annotations

from ensemble_mesh_client.health import (
    FAILURES,
    FIRST_EJECTION_S,
    LONGEST_EJECTION_S,
    PROBE_S,
    SHORTEST_STALL_S,
    Health,
)

P95_S = 0.01
LIMIT_S = 4 * P95_S


def test_supervisor_without_any_answer_is_stalled_after_four_times_the_p95() -> None:
    health = Health()
    assert not health.check_stall(LIMIT_S, oldest_s=0.0, p95_s=P95_S)
    assert health.check_stall(LIMIT_S + 0.001, oldest_s=0.0, p95_s=P95_S)
    assert not health.check_stall(LIMIT_S + 0.002, oldest_s=0.0, p95_s=P95_S)  # reported once
    assert health.is_stalled


def test_answers_to_other_questions_show_that_a_supervisor_is_not_stalled() -> None:
    health = Health()
    health.record_answer(0.9)
    assert not health.check_stall(0.93, oldest_s=0.0, p95_s=P95_S)


def test_supervisor_without_questions_is_not_stalled() -> None:
    assert not Health().check_stall(100.0, oldest_s=None, p95_s=P95_S)


def test_fast_answers_do_not_make_the_limit_shorter_than_a_pause_of_the_event_loop() -> None:
    assert not Health().check_stall(SHORTEST_STALL_S, oldest_s=0.0, p95_s=0.0001)


def test_stalled_supervisor_gets_a_probe_now_and_then_until_it_answers() -> None:
    health = Health()
    assert health.check_stall(1.0, oldest_s=0.0, p95_s=P95_S)
    assert not health.takes_probe(1.0 + PROBE_S / 2)
    assert health.takes_probe(1.0 + PROBE_S)
    assert not health.takes_probe(1.0 + PROBE_S)
    health.record_answer(1.0 + 1.5 * PROBE_S)
    assert not health.is_stalled
    assert not health.takes_probe(9.0)


def test_failures_in_a_row_eject_for_longer_each_time() -> None:
    health, now_s, pauses_s = Health(), 0.0, []
    for _ in range(8):
        for _ in range(FAILURES):
            assert not health.is_ejected(now_s)
            health.record_failure(now_s)
        pause_s = FIRST_EJECTION_S
        while health.is_ejected(now_s + pause_s):
            pause_s *= 2
        pauses_s.append(min(pause_s, LONGEST_EJECTION_S))
        now_s += pause_s
    assert pauses_s == [1, 2, 4, 8, 16, 30, 30, 30]


def test_success_ends_the_row_of_failures() -> None:
    health = Health()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            health.record_failure(0.0)
        health.record_success()
    assert not health.is_ejected(0.0)


def test_new_connection_ends_an_ejection() -> None:
    health = Health()
    for _ in range(FAILURES):
        health.record_failure(0.0)
    health.record_connection()
    assert not health.is_ejected(0.0)
